//! Signatures, key agreement and the proofs of mechanism 7.

use dlms_security::agreement::{Algorithm, KeyId, SignedKey, ephemeral_key, static_key};
use dlms_security::hls::EcdsaProof;
use dlms_security::{Curve, PrivateKey, PublicKey, PublicKeyProvider, SecurityError, Signature, derive_key};

use crate::{Checked, Vector, is_deterministic, provider};

impl Vector {
    fn curve(&self) -> Curve {
        self.suite().curve().expect("a suite with a curve")
    }

    fn private(&self, field: &str) -> PrivateKey {
        PrivateKey::new(self.curve(), &self.bytes(field)).expect("a private key")
    }

    fn public(&self, field: &str) -> Result<PublicKey, SecurityError> {
        PublicKey::new(self.curve(), &self.bytes(field))
    }

    /// The public key of a private one, which is expected too.
    fn own(&self, private: &str, public: &str) -> Result<(PrivateKey, PublicKey), String> {
        let key = self.private(private);
        let public_key = provider().public_key(&key).map_err(text)?;
        self.equals(public, public_key.octets())?;
        Ok((key, public_key))
    }
}

/// A signature that was made is the expected one; one with a random number in it is only verified.
fn made(vector: &Vector, field: &str, signature: &Signature) -> Checked {
    if is_deterministic() { vector.equals(field, signature.octets()) } else { Ok(()) }
}

fn text(error: SecurityError) -> String {
    error.to_string()
}

pub(crate) fn sign(vector: &Vector) -> Checked {
    let (key, public) = vector.own("private_key", "public_key")?;
    let message = vector.bytes("message");
    let (first, rest) = message.split_at(message.len() / 2);
    let signature = provider().sign(&key, &[first, rest]).map_err(text)?;
    made(vector, "signature", &signature)?;
    provider().verify(&public, &[&message], &signature).map_err(text)
}

pub(crate) fn verify(vector: &Vector) -> Checked {
    let result = vector.public("public_key").and_then(|key| {
        let signature = Signature::new(vector.curve(), &vector.bytes("signature"))?;
        provider().verify(&key, &[&vector.bytes("message")], &signature)
    });
    vector.outcome_is(result)
}

pub(crate) fn ecdh(vector: &Vector) -> Checked {
    let agreed = vector
        .public("peer_public_key")
        .and_then(|peer| provider().agree(&vector.private("private_key"), &peer, &[b"info"]));
    if vector.outcome.as_deref() == Some("reject") {
        return vector.outcome_is(agreed);
    }
    let expected = derive_key(vector.curve(), &vector.expected("z"), &[b"info"]).map_err(text)?;
    if agreed.map_err(text)?.expose() == expected.expose() { Ok(()) } else { Err("another key".into()) }
}

pub(crate) fn kdf(vector: &Vector) -> Checked {
    let key = derive_key(vector.curve(), &vector.bytes("z"), &[&vector.bytes("other_info")]);
    vector.equals("key", key.map_err(text)?.expose())
}

/// C(2e, 0s): the side whose ephemeral key is known computes, and what both sign is verified.
pub(crate) fn key_agreement(vector: &Vector) -> Checked {
    let key_id = KeyId::from_id(vector.octet("key_id")).expect("a key id");
    let parties = [vector.title("system_title_c"), vector.title("system_title_s")];
    for side in ["client", "server"] {
        let (signing_key, signer) =
            vector.own(&format!("{side}_signing_private_key"), &format!("{side}_signing_public_key"))?;
        let mut key_data = vector.expected(&format!("{side}_ephemeral_public_key"));
        vector.equals(&format!("{side}_signed_data"), &[&[key_id as u8], &key_data[..]].concat())?;
        key_data.extend(vector.expected(&format!("{side}_signature")));
        let signed = SignedKey::verified(&provider(), &signer, Some(key_id), &key_data).map_err(text)?;
        for other in KeyId::ALL.into_iter().filter(|other| *other != key_id) {
            if SignedKey::verified(&provider(), &signer, Some(other), &key_data).is_ok() {
                return Err(format!("verifies for {other:?} too"));
            }
        }
        // Published signatures have random numbers in them; computed ones have none.
        if !vector.inputs.contains_key(&format!("{side}_signature")) && vector.name.starts_with("computed") {
            let again = provider().sign(&signing_key, &[&[key_id as u8], signed.key.octets()]);
            made(vector, &format!("{side}_signature"), &again.map_err(text)?)?;
        }
        let (own, peer) =
            (format!("{side}_ephemeral_private_key"), if side == "client" { "server" } else { "client" });
        if !vector.inputs.contains_key(&own) {
            continue;
        }
        let (own, _) = vector.own(&own, &format!("{side}_ephemeral_public_key"))?;
        let peer = vector.expected(&format!("{peer}_ephemeral_public_key"));
        let peer = PublicKey::new(vector.curve(), &peer).map_err(text)?;
        let algorithm = if vector.expected("other_info")[6] < 2 { Algorithm::Gcm } else { Algorithm::Wrap };
        let key = ephemeral_key(&provider(), &own, &peer, algorithm, parties).map_err(text)?;
        vector.equals("key", key.expose())?;
    }
    Ok(())
}

/// C(1e, 1s), both sides.
pub(crate) fn one_pass(vector: &Vector) -> Checked {
    let parties = [vector.title("originator_system_title"), vector.title("recipient_system_title")];
    let (ephemeral, point) =
        vector.own("originator_ephemeral_private_key", "originator_ephemeral_public_key")?;
    let (recipient, recipient_key) =
        vector.own("recipient_static_private_key", "recipient_static_public_key")?;
    let (_, signer) = vector.own("originator_signing_private_key", "originator_signing_public_key")?;
    let signed = [point.octets(), &vector.expected("signature")].concat();
    let signed = SignedKey::verified(&provider(), &signer, None, &signed).map_err(text)?;
    for (own, peer) in [(&ephemeral, &recipient_key), (&recipient, &signed.key)] {
        let key = ephemeral_key(&provider(), own, peer, Algorithm::Gcm, parties).map_err(text)?;
        vector.equals("key", key.expose())?;
    }
    Ok(())
}

/// C(0e, 2s), both sides.
pub(crate) fn static_unified(vector: &Vector) -> Checked {
    let parties = [vector.title("originator_system_title"), vector.title("recipient_system_title")];
    let originator = vector.own("originator_static_private_key", "originator_static_public_key")?;
    let recipient = vector.own("recipient_static_private_key", "recipient_static_public_key")?;
    let transaction = vector.bytes("transaction_id");
    for (own, peer) in [(&originator.0, &recipient.1), (&recipient.0, &originator.1)] {
        let key = static_key(&provider(), own, peer, parties, &transaction).map_err(text)?;
        vector.equals("key", key.expose())?;
    }
    Ok(())
}

pub(crate) fn hls(vector: &Vector) -> Checked {
    let (client, server) = (vector.title("system_title_c"), vector.title("system_title_s"));
    let (ctos, stoc) = (vector.bytes("ctos"), vector.bytes("stoc"));
    let pass_3 = EcdsaProof { prover: client, verifier: server, challenge: &stoc, own_challenge: &ctos };
    let pass_4 = EcdsaProof { prover: server, verifier: client, challenge: &ctos, own_challenge: &stoc };
    for (proof, side, field) in [(pass_3, "client", "pass3_f"), (pass_4, "server", "pass4_f")] {
        let (key, public) = vector.own(&format!("{side}_private_key"), &format!("{side}_public_key"))?;
        let signature = proof.sign(&provider(), &key).map_err(text)?;
        made(vector, field, &signature)?;
        proof.verify(&provider(), &public, signature.octets()).map_err(text)?;
    }
    Ok(())
}

pub(crate) fn hls_verify(vector: &Vector) -> Checked {
    let (challenge, own_challenge) =
        (vector.bytes("challenge_to_prover"), vector.bytes("challenge_from_prover"));
    let proof = EcdsaProof {
        prover: vector.title("system_title_prover"),
        verifier: vector.title("system_title_verifier"),
        challenge: &challenge,
        own_challenge: &own_challenge,
    };
    let key = vector.public("public_key").map_err(text)?;
    vector.outcome_is(proof.verify(&provider(), &key, &vector.expected("signature")))
}

pub(crate) fn signer_guard(vector: &Vector) -> Checked {
    let challenge = vector.bytes("peer_challenge");
    let proof = EcdsaProof {
        prover: vector.title("own_system_title"),
        verifier: vector.title("peer_system_title"),
        challenge: &challenge,
        own_challenge: &[0x55; 32],
    };
    let key = PrivateKey::new(vector.curve(), &vec![7; vector.curve().coordinate_len()]).map_err(text)?;
    vector.outcome_is(proof.sign(&provider(), &key))
}
