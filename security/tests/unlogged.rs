//! What is secret has no `defmt::Format`: a program that would log it does not compile.
#![allow(missing_docs)]

use dlms_security::hls::Challenge;
use dlms_security::{
    Aead128Key, AuthenticationKey, KeyFingerprint, NewKey, PrivateKey, Secret, SecretKey, SetupChange,
};

/// Of a type with `Format` it is not known which `A` is meant: `is_not_logged` cannot be called.
trait Unlogged<A> {
    fn is_not_logged() {}
}

struct Any;
struct Logged;

impl<T> Unlogged<Any> for T {}
impl<T: defmt::Format> Unlogged<Logged> for T {}

#[test]
fn secrets_are_not_logged() {
    <Secret as Unlogged<_>>::is_not_logged();
    <SecretKey as Unlogged<_>>::is_not_logged();
    <AuthenticationKey as Unlogged<_>>::is_not_logged();
    <PrivateKey as Unlogged<_>>::is_not_logged();
    <KeyFingerprint as Unlogged<_>>::is_not_logged();
    <NewKey<'_> as Unlogged<_>>::is_not_logged();
    <SetupChange<'_> as Unlogged<_>>::is_not_logged();
    <Aead128Key as Unlogged<_>>::is_not_logged();
    <Challenge as Unlogged<_>>::is_not_logged();
}
