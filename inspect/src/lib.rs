//! Explains captured DLMS/COSEM octets: finds the framing, joins segments and blocks, opens what it has keys for.
