//! Async transports, client, listener and server for DLMS/COSEM head-ends on tokio.
