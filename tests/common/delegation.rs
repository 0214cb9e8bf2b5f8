//! Providers that differ from another one in a few functions.

/// The functions of a `CryptoProvider` that another one does: `delegate!(|self| PROVIDER => sha256, random);` in its `impl`.
/// Those that take a key made ready are for providers with the other one's type of it.
#[allow(unused_macros)]
macro_rules! delegate {
    (|$self:ident| $to:expr => $($function:ident),+ $(,)?) => {
        $($crate::common::delegation::delegate!(@$function $self, $to);)+
    };
    (@aead_key $self:ident, $to:expr) => {
        fn aead_key(
            &$self,
            suite: dlms_security::SecuritySuite,
            key: &dlms_security::SecretKey,
        ) -> Result<Self::AeadKey, dlms_security::SecurityError> {
            $to.aead_key(suite, key)
        }
    };
    (@seal $self:ident, $to:expr) => {
        fn seal(
            &$self,
            key: &Self::AeadKey,
            nonce: &[u8; 12],
            aad: &dlms_security::AdditionalData<'_>,
            text: &mut [u8],
        ) -> Result<[u8; 12], dlms_security::SecurityError> {
            $to.seal(key, nonce, aad, text)
        }
    };
    (@open $self:ident, $to:expr) => {
        fn open(
            &$self,
            key: &Self::AeadKey,
            nonce: &[u8; 12],
            aad: &dlms_security::AdditionalData<'_>,
            text: &mut [u8],
            tag: &[u8; 12],
        ) -> Result<(), dlms_security::SecurityError> {
            $to.open(key, nonce, aad, text, tag)
        }
    };
    (@apply_keystream $self:ident, $to:expr) => {
        fn apply_keystream(
            &$self,
            key: &Self::AeadKey,
            nonce: &[u8; 12],
            text: &mut [u8],
        ) -> Result<(), dlms_security::SecurityError> {
            $to.apply_keystream(key, nonce, text)
        }
    };
    (@wrap_key $self:ident, $to:expr) => {
        fn wrap_key(
            &$self,
            suite: dlms_security::SecuritySuite,
            key: &dlms_security::SecretKey,
        ) -> Result<Self::WrapKey, dlms_security::SecurityError> {
            $to.wrap_key(suite, key)
        }
    };
    (@wrap $self:ident, $to:expr) => {
        fn wrap<'o>(
            &$self,
            kek: &Self::WrapKey,
            key: &dlms_security::SecretKey,
            wrapped: &'o mut [u8],
        ) -> Result<&'o [u8], dlms_security::SecurityError> {
            $to.wrap(kek, key, wrapped)
        }
    };
    (@unwrap $self:ident, $to:expr) => {
        fn unwrap(
            &$self,
            suite: dlms_security::SecuritySuite,
            kek: &Self::WrapKey,
            wrapped: &[u8],
        ) -> Result<dlms_security::SecretKey, dlms_security::SecurityError> {
            $to.unwrap(suite, kek, wrapped)
        }
    };
    (@sha256 $self:ident, $to:expr) => {
        fn sha256(&$self, parts: &[&[u8]]) -> Result<[u8; 32], dlms_security::SecurityError> {
            $to.sha256(parts)
        }
    };
    (@random $self:ident, $to:expr) => {
        fn random(&$self, out: &mut [u8]) -> Result<(), dlms_security::SecurityError> {
            $to.random(out)
        }
    };
}
#[allow(unused_imports)]
pub(crate) use delegate;
