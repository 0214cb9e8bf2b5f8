//! DLMS/COSEM security suites 0, 1 and 2 (IEC 62056-5-3, clause 5).
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
