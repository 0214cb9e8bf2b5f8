//! Benchmarks of the dlms workspace beside their floors.
