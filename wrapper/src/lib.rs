//! The TCP/UDP wrapper of DLMS/COSEM (IEC 62056-47).
#![cfg_attr(not(feature = "std"), no_std)]
