//! The HDLC data link layer of DLMS/COSEM (IEC 62056-46): frames, addresses, and both stations as state machines.
#![cfg_attr(not(feature = "std"), no_std)]
