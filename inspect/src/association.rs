//! What is known while an exchange is followed: who the parties are, what they agreed on, what is still to come.

use dlms::acse::{self, Aare, Aarq, ReleaseRequest, ReleaseResponse};
use dlms::xdlms::{
    self, ActionRequest, ActionResponse, ActionResult, Apdu, DataBlockResult, DataNotification, Gateway,
    GeneralBlockTransfer, GeneralHeader, GeneralSigning, GetDataResult, GetRequest, GetResponse, List,
};
use dlms_axdr::{Data, DecodeError, DecodeErrorKind, Reader};
use dlms_security::{AuthenticationMechanism, Secret, SystemTitle};
use serde_json::{Value, json};

use crate::apdu::{self, Fields, object};
use crate::message::Direction;
use crate::options::Options;
use crate::problem::{Layer, Problem, hex};

/// How deep APDUs may lie in one another.
const MAX_DEPTH: u8 = 8;

/// One party of an association.
#[derive(Clone, Default)]
pub(crate) struct Party {
    pub(crate) title: Option<SystemTitle>,
    pub(crate) challenge: Vec<u8>,
}

pub(crate) struct Association<'o> {
    pub(crate) options: &'o Options,
    pub(crate) client: Party,
    pub(crate) meter: Party,
    pub(crate) dedicated_key: Option<Secret<32>>,
    mechanism: AuthenticationMechanism,
    /// The client has proved who it is; the meter's proof is due.
    proof_awaited: bool,
    list_requested: bool,
    /// The raw data of a long GET so far.
    raw_data: Vec<u8>,
    /// The blocks of a general block transfer so far, by direction.
    transfers: [Transfer; 2],
    /// Handshake proofs that were recomputed.
    pub(crate) hls_checks: Vec<Value>,
    /// Values that came in blocks.
    pub(crate) block_transfer_results: Vec<Value>,
    /// Deviations that were met.
    pub(crate) quirks: Vec<&'static str>,
}

/// How an APDU is read.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) tolerant: bool,
    pub(crate) depth: u8,
}

impl Mode {
    pub(crate) const fn inside(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

/// What became of an APDU: what it means, and what a strict reader says against it.
pub(crate) struct Attempt {
    pub(crate) value: Option<Fields>,
    pub(crate) problem: Option<Problem>,
}

/// A general block transfer in one direction.
#[derive(Default)]
struct Transfer {
    octets: Vec<u8>,
    last_number: u16,
}

/// What a block of a general block transfer leads to.
pub(crate) enum Block {
    /// More are to come, or it is an acknowledgement.
    Pending,
    /// The APDU is complete.
    Whole(Vec<u8>),
}

impl<'o> Association<'o> {
    pub(crate) fn new(options: &'o Options) -> Self {
        Self {
            options,
            client: Party::default(),
            meter: Party { title: options.system_title, challenge: Vec::new() },
            dedicated_key: options.dedicated_key.clone(),
            mechanism: AuthenticationMechanism::None,
            proof_awaited: false,
            list_requested: false,
            raw_data: Vec::new(),
            transfers: Default::default(),
            hls_checks: Vec::new(),
            block_transfer_results: Vec::new(),
            quirks: Vec::new(),
        }
    }

    /// Explains an APDU: strictly, and if that fails tolerantly too.
    pub(crate) fn attempt(&mut self, direction: Direction, octets: &[u8]) -> Attempt {
        let problem = match self.explain(direction, octets, Mode { tolerant: false, depth: 0 }) {
            Ok(value) => return Attempt { value: Some(value), problem: None },
            Err(problem) => problem,
        };
        let quirks = self.quirks.len();
        let value = self.explain(direction, octets, Mode { tolerant: true, depth: 0 }).ok();
        if value.is_none() {
            self.quirks.truncate(quirks);
        }
        Attempt { value, problem: Some(problem) }
    }

    /// Takes a block of a general block transfer.
    pub(crate) fn block(
        &mut self,
        direction: Direction,
        block: &GeneralBlockTransfer<'_>,
    ) -> Result<Block, Problem> {
        let transfer = &mut self.transfers[usize::from(direction == Direction::ClientToMeter)];
        if block.block_data.is_empty() {
            return Ok(Block::Pending);
        }
        if block.block_number == 1 {
            *transfer = Transfer::default();
        }
        let expected = transfer.last_number.wrapping_add(1);
        if block.block_number < expected {
            return Ok(Block::Pending);
        }
        if block.block_number > expected {
            *transfer = Transfer::default();
            let message = format!("block {} came instead of block {expected}", block.block_number);
            return Err(Problem::new(Layer::Gbt, "block-missing", message));
        }
        transfer.last_number = block.block_number;
        transfer.octets.extend_from_slice(block.block_data);
        if block.last {
            return Ok(Block::Whole(core::mem::take(transfer).octets));
        }
        Ok(Block::Pending)
    }

    /// What is wrong if nothing more comes.
    pub(crate) fn unfinished(&self) -> Option<Problem> {
        let is_waiting = self.transfers.iter().any(|transfer| !transfer.octets.is_empty());
        is_waiting.then(|| {
            let message = "the last block of a general block transfer was not received";
            Problem::new(Layer::Gbt, "incomplete-last-block-not-received", message)
        })
    }

    /// Explains an APDU and what lies in it.
    pub(crate) fn explain(
        &mut self,
        direction: Direction,
        octets: &[u8],
        mode: Mode,
    ) -> Result<Fields, Problem> {
        if mode.depth > MAX_DEPTH {
            return Err(Problem::new(Layer::Xdlms, "nested-too-deep", "APDUs lie too deep in one another"));
        }
        let Some(&tag) = octets.first() else {
            return Err(Problem::new(Layer::Xdlms, "truncated", "there is no APDU").at(0));
        };
        match tag {
            acse::AARQ => self.aarq(direction, octets, mode),
            acse::AARE => self.aare(direction, octets, mode),
            acse::RLRQ => {
                let request = ReleaseRequest::from_octets(octets).map_err(Problem::acse)?;
                let fields = crate::acse::release_request(&request);
                self.with_user_information(direction, fields, request.user_information, mode)
            }
            acse::RLRE => {
                let response = ReleaseResponse::from_octets(octets).map_err(Problem::acse)?;
                let fields = crate::acse::release_response(&response);
                self.with_user_information(direction, fields, response.user_information, mode)
            }
            xdlms::GENERAL_GLO_CIPHERING | xdlms::GENERAL_DED_CIPHERING => {
                self.general_ciphering_with_title(direction, octets, mode)
            }
            xdlms::GENERAL_CIPHERING => self.general_ciphering(direction, octets, mode),
            xdlms::GENERAL_SIGNING => self.general_signing(direction, octets, mode),
            xdlms::GATEWAY_REQUEST | xdlms::GATEWAY_RESPONSE => self.gateway(direction, octets, mode),
            xdlms::DATA_NOTIFICATION => self.data_notification(octets, mode),
            tag => match xdlms::ServiceCiphering::service_of(tag) {
                Some(service) => self.service_ciphering(direction, octets, service, mode),
                None => self.plain(octets),
            },
        }
    }

    fn plain(&mut self, octets: &[u8]) -> Result<Fields, Problem> {
        let apdu = Apdu::from_octets(octets).map_err(|error| Problem::xdlms(octets, error))?;
        self.observe(&apdu);
        apdu::explain(&apdu).ok_or_else(|| Problem::new(Layer::Xdlms, "unexpected-apdu", "unexpected APDU"))
    }

    fn data_notification(&mut self, octets: &[u8], mode: Mode) -> Result<Fields, Problem> {
        let error = match Apdu::from_octets(octets) {
            Ok(apdu) => return Ok(apdu::explain(&apdu).unwrap_or_default()),
            Err(error) => error,
        };
        let is_length_of_date_time =
            error.kind == DecodeErrorKind::InvalidValue("length of date-time".into());
        if !is_length_of_date_time {
            return Err(Problem::xdlms(octets, error));
        }
        if mode.tolerant {
            let notification = whole(octets, DataNotification::decode_lenient)
                .map_err(|error| Problem::xdlms(octets, error))?;
            self.quirk("dn-datetime-tagged");
            return Ok(apdu::explain(&Apdu::DataNotification(notification)).unwrap_or_default());
        }
        let length = octets.get(error.offset).copied().unwrap_or(0);
        let message = "the date-time of a data-notification has 12 octets, or none";
        Err(Problem::new(Layer::Xdlms, format!("date-time-length-{length}"), message).at(error.offset))
    }

    fn aarq(&mut self, direction: Direction, octets: &[u8], mode: Mode) -> Result<Fields, Problem> {
        let aarq = Aarq::from_octets(octets).map_err(Problem::acse)?;
        self.client =
            Party { title: title(aarq.calling_ap_title), challenge: charstring(aarq.authentication_value) };
        self.meter = Party { title: self.options.system_title, challenge: Vec::new() };
        self.dedicated_key = self.options.dedicated_key.clone();
        self.mechanism = aarq.mechanism.and_then(|mechanism| mechanism.standard()).unwrap_or_default();
        self.proof_awaited = false;
        let fields = crate::acse::aarq(&aarq);
        self.with_user_information(direction, fields, aarq.user_information, mode)
    }

    fn aare(&mut self, direction: Direction, octets: &[u8], mode: Mode) -> Result<Fields, Problem> {
        let aare = match Aare::from_octets(octets) {
            Ok(aare) => aare,
            Err(_) if mode.tolerant => {
                let aare = Aare::from_octets_lenient(octets).map_err(Problem::acse)?;
                self.quirk("aare-lengths-one-short");
                aare
            }
            Err(error) => return Err(Problem::acse(error)),
        };
        self.meter.title = title(aare.responding_ap_title).or(self.meter.title);
        self.meter.challenge = charstring(aare.authentication_value);
        let fields = crate::acse::aare(&aare);
        self.with_user_information(direction, fields, aare.user_information, mode)
    }

    fn with_user_information(
        &mut self,
        direction: Direction,
        mut fields: Fields,
        user_information: Option<&[u8]>,
        mode: Mode,
    ) -> Result<Fields, Problem> {
        if let Some(octets) = user_information {
            let content = self.explain(direction, octets, mode.inside())?;
            fields.insert("user-information".into(), Value::Object(content));
        }
        Ok(fields)
    }

    fn general_signing(
        &mut self,
        direction: Direction,
        octets: &[u8],
        mode: Mode,
    ) -> Result<Fields, Problem> {
        let signed = whole(octets, GeneralSigning::decode).map_err(|error| {
            if is_unsigned(octets) {
                Problem::new(Layer::Xdlms, "missing-signature", "general-signing ends before the signature")
                    .at(error.offset)
            } else {
                Problem::xdlms(octets, error)
            }
        })?;
        let mut fields = object(json!({ "apdu": "general-signing" }));
        fields.extend(general_header(&signed.header));
        let content = self.explain(direction, signed.content, mode.inside())?;
        fields.insert("content".into(), Value::Object(content));
        fields.insert("signature".into(), hex(signed.signature).into());
        Ok(fields)
    }

    fn gateway(&mut self, direction: Direction, octets: &[u8], mode: Mode) -> Result<Fields, Problem> {
        let gateway = whole(octets, Gateway::decode).map_err(|error| Problem::xdlms(octets, error))?;
        let content = self.explain(direction, gateway.apdu, mode.inside())?;
        Ok(object(json!({
            "apdu": if gateway.is_response { "gateway-response" } else { "gateway-request" },
            "network-id": gateway.network_id,
            "physical-device-address": hex(gateway.physical_device_address),
            "content": content,
        })))
    }

    /// Notes a deviation.
    pub(crate) fn quirk(&mut self, quirk: &'static str) {
        if !self.quirks.contains(&quirk) {
            self.quirks.push(quirk);
        }
    }

    /// Takes from a plain APDU what later ones depend on.
    fn observe(&mut self, apdu: &Apdu<'_>) {
        match apdu {
            Apdu::InitiateRequest(request) => {
                if let Some(key) = request.dedicated_key.and_then(|key| Secret::new(key).ok()) {
                    self.dedicated_key = Some(key);
                }
            }
            Apdu::ActionRequest(ActionRequest::Normal { method, parameters, .. }) => {
                let is_proof = method.class_id == 15 && method.method_id == 1;
                self.proof_awaited = is_proof && self.mechanism == AuthenticationMechanism::Gmac;
                if let (true, Some(Data::OctetString(proof))) = (self.proof_awaited, parameters) {
                    self.check_proof("f(StoC)", self.client.title, &self.meter.challenge.clone(), proof);
                }
            }
            Apdu::ActionResponse(ActionResponse::Normal { result, return_parameters, .. }) => {
                let is_awaited = core::mem::take(&mut self.proof_awaited);
                if let (true, ActionResult::Success, Some(GetDataResult::Data(Data::OctetString(proof)))) =
                    (is_awaited, result, return_parameters)
                {
                    self.check_proof("f(CtoS)", self.meter.title, &self.client.challenge.clone(), proof);
                }
            }
            Apdu::GetRequest(GetRequest::Normal { .. }) => {
                self.list_requested = false;
                self.raw_data.clear();
            }
            Apdu::GetRequest(GetRequest::WithList { .. }) => {
                self.list_requested = true;
                self.raw_data.clear();
            }
            Apdu::GetResponse(GetResponse::WithDataBlock { block, .. }) => {
                if let DataBlockResult::RawData(octets) = block.result {
                    self.raw_data.extend_from_slice(octets);
                }
                if block.last {
                    let raw_data = core::mem::take(&mut self.raw_data);
                    self.block_transfer_results.push(self.transferred(&raw_data));
                }
            }
            _ => {}
        }
    }

    /// What came in blocks: one value, or a list of results.
    fn transferred(&self, raw_data: &[u8]) -> Value {
        let explained = if self.list_requested {
            whole(raw_data, List::<GetDataResult<'_>>::decode).map(|results| {
                results.iter().map(|result| Value::Object(apdu::get_data_result(&result))).collect()
            })
        } else {
            Data::from_octets(raw_data).map(|value| apdu::data(&value))
        };
        explained.unwrap_or_else(|error| json!({ "error": Problem::data(error).json() }))
    }
}

/// What general-ciphering and general-signing begin with.
pub(crate) fn general_header(header: &GeneralHeader<'_>) -> Fields {
    object(json!({
        "transaction-id": hex(header.transaction_id),
        "originator-system-title": hex(header.originator_system_title),
        "recipient-system-title": hex(header.recipient_system_title),
        "date-time": hex(header.date_time),
        "other-information": hex(header.other_information),
    }))
}

/// One value that takes all of `octets`.
pub(crate) fn whole<'a, T>(
    octets: &'a [u8],
    decode: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = Reader::new(octets);
    let value = decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// The title, if it has the eight octets of one.
pub(crate) fn title(octets: Option<&[u8]>) -> Option<SystemTitle> {
    octets.and_then(|octets| SystemTitle::try_from(octets).ok())
}

fn charstring(value: Option<acse::AuthenticationValue<'_>>) -> Vec<u8> {
    value.and_then(|value| value.charstring()).unwrap_or_default().to_vec()
}

/// Whether general-signing ends right after its content.
fn is_unsigned(octets: &[u8]) -> bool {
    let mut reader = Reader::new(octets);
    reader.u8().is_ok()
        && GeneralHeader::decode(&mut reader).is_ok()
        && reader.octet_string().is_ok()
        && reader.is_empty()
}
