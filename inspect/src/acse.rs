//! ACSE APDUs as JSON; what their user-information holds is explained by the caller.

use dlms::acse::{Aare, Aarq, AuthenticationValue, Diagnostic, ReleaseRequest, ReleaseResponse};
use dlms_axdr::{BitString, BufferFull, Encoder};
use serde_json::{Map, Value, json};

use crate::problem::hex;

type Fields = Map<String, Value>;

pub(crate) fn aarq(aarq: &Aarq<'_>) -> Fields {
    let mut fields = named("aarq");
    bits(&mut fields, "protocol-version", aarq.protocol_version.map(|version| version.0));
    let name = object_identifier(|encoder| aarq.application_context_name.encode_object_identifier(encoder));
    fields.insert("application-context-name".into(), name);
    octets(&mut fields, "called-ap-title", aarq.called_ap_title);
    octets(&mut fields, "called-ae-qualifier", aarq.called_ae_qualifier);
    integer(&mut fields, "called-ap-invocation-id", aarq.called_ap_invocation_id);
    integer(&mut fields, "called-ae-invocation-id", aarq.called_ae_invocation_id);
    octets(&mut fields, "calling-ap-title", aarq.calling_ap_title);
    octets(&mut fields, "calling-ae-qualifier", aarq.calling_ae_qualifier);
    integer(&mut fields, "calling-ap-invocation-id", aarq.calling_ap_invocation_id);
    integer(&mut fields, "calling-ae-invocation-id", aarq.calling_ae_invocation_id);
    bits(&mut fields, "acse-requirements", aarq.sender_acse_requirements.map(|requirements| requirements.0));
    if let Some(mechanism) = aarq.mechanism {
        let name = object_identifier(|encoder| mechanism.encode_object_identifier(encoder));
        fields.insert("mechanism-name".into(), name);
    }
    authentication_value(&mut fields, aarq.authentication_value);
    octets(&mut fields, "implementation-information", aarq.implementation_information);
    fields
}

pub(crate) fn aare(aare: &Aare<'_>) -> Fields {
    let mut fields = named("aare");
    bits(&mut fields, "protocol-version", aare.protocol_version.map(|version| version.0));
    let name = object_identifier(|encoder| aare.application_context_name.encode_object_identifier(encoder));
    fields.insert("application-context-name".into(), name);
    fields.insert("result".into(), aare.result.code().into());
    let diagnostic = match aare.diagnostic {
        Diagnostic::User(diagnostic) => json!({ "acse-service-user": diagnostic.code() }),
        Diagnostic::Provider(diagnostic) => json!({ "acse-service-provider": diagnostic.code() }),
    };
    fields.insert("result-source-diagnostic".into(), diagnostic);
    octets(&mut fields, "responding-ap-title", aare.responding_ap_title);
    octets(&mut fields, "responding-ae-qualifier", aare.responding_ae_qualifier);
    integer(&mut fields, "responding-ap-invocation-id", aare.responding_ap_invocation_id);
    integer(&mut fields, "responding-ae-invocation-id", aare.responding_ae_invocation_id);
    bits(
        &mut fields,
        "acse-requirements",
        aare.responder_acse_requirements.map(|requirements| requirements.0),
    );
    if let Some(mechanism) = aare.mechanism {
        let name = object_identifier(|encoder| mechanism.encode_object_identifier(encoder));
        fields.insert("mechanism-name".into(), name);
    }
    authentication_value(&mut fields, aare.authentication_value);
    octets(&mut fields, "implementation-information", aare.implementation_information);
    fields
}

pub(crate) fn release_request(request: &ReleaseRequest<'_>) -> Fields {
    let mut fields = named("rlrq");
    integer(&mut fields, "reason", request.reason.map(|reason| i64::from(reason.code())));
    fields
}

pub(crate) fn release_response(response: &ReleaseResponse<'_>) -> Fields {
    let mut fields = named("rlre");
    integer(&mut fields, "reason", response.reason.map(|reason| i64::from(reason.code())));
    fields
}

fn named(name: &str) -> Fields {
    let mut fields = Fields::new();
    fields.insert("apdu".into(), name.into());
    fields
}

/// The content of a BIT STRING: the number of unused bits, then the octets.
fn bits(fields: &mut Fields, name: &str, bits: Option<BitString<'_>>) {
    if let Some(bits) = bits {
        let unused = (bits.octets().len() * 8 - bits.len()) as u8;
        fields.insert(name.into(), hex(&[&[unused], bits.octets()].concat()).into());
    }
}

fn octets(fields: &mut Fields, name: &str, octets: Option<&[u8]>) {
    if let Some(octets) = octets {
        fields.insert(name.into(), hex(octets).into());
    }
}

fn integer(fields: &mut Fields, name: &str, value: Option<i64>) {
    if let Some(value) = value {
        fields.insert(name.into(), value.into());
    }
}

fn authentication_value(fields: &mut Fields, value: Option<AuthenticationValue<'_>>) {
    match value {
        Some(AuthenticationValue::Bitstring(value)) => bits(fields, "authentication-value", Some(value)),
        value => octets(fields, "authentication-value", value.and_then(|value| value.charstring())),
    }
}

fn object_identifier(write: impl FnOnce(&mut Encoder<'_>) -> Result<(), BufferFull>) -> Value {
    let mut buffer = [0; 128];
    let mut encoder = Encoder::new(&mut buffer);
    // An identifier longer than the buffer is shown as far as it fits.
    let _ = write(&mut encoder);
    hex(encoder.written()).into()
}
