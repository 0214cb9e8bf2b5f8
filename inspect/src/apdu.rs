//! xDLMS APDUs that hold no other APDU, as JSON.

use dlms::xdlms::{
    AccessRequest, AccessRequestSpecification, AccessResponse, AccessResponseSpecification, AccessSelector,
    ActionRequest, ActionResponse, Apdu, AttributeDescriptor, AttributeDescriptorWithSelection,
    ConfirmedServiceError, DataBlock, DataBlockResult, Element, ExceptionResponse, GeneralBlockTransfer,
    GetDataResult, GetRequest, GetResponse, InitiateRequest, InitiateResponse, InvokeIdAndPriority, List,
    LongInvokeIdAndPriority, MethodDescriptor, ReadResult, ServiceError, ServiceErrorGroup, SetRequest,
    SetResponse, VariableAccessSpecification, WriteResult,
};
use dlms_axdr::{Data, DateTime};
use serde_json::{Map, Value, json};

use crate::problem::hex;

pub(crate) type Fields = Map<String, Value>;

/// The APDU; `None` if it is one that holds another one.
pub(crate) fn explain(apdu: &Apdu<'_>) -> Option<Fields> {
    Some(match apdu {
        Apdu::InitiateRequest(apdu) => initiate_request(apdu),
        Apdu::InitiateResponse(apdu) => initiate_response(apdu),
        Apdu::ConfirmedServiceError(apdu) => confirmed_service_error(apdu),
        Apdu::GetRequest(apdu) => get_request(apdu),
        Apdu::GetResponse(apdu) => get_response(apdu),
        Apdu::SetRequest(apdu) => set_request(apdu),
        Apdu::SetResponse(apdu) => set_response(apdu),
        Apdu::ActionRequest(apdu) => action_request(apdu),
        Apdu::ActionResponse(apdu) => action_response(apdu),
        Apdu::AccessRequest(apdu) => access_request(apdu),
        Apdu::AccessResponse(apdu) => access_response(apdu),
        Apdu::ExceptionResponse(apdu) => exception_response(apdu),
        Apdu::EventNotification(apdu) => object(json!({
            "apdu": "event-notification-request",
            "time": apdu.time.map(|time| hex(&time.0)),
            "attribute": attribute(&apdu.attribute),
            "data": data(&apdu.value),
        })),
        Apdu::DataNotification(apdu) => object(json!({
            "apdu": "data-notification",
            "long-invoke-id-and-priority": long_invoke_id(apdu.long_invoke_id),
            "date-time": date_time(apdu.date_time),
            "data": data(&apdu.body),
        })),
        Apdu::DataNotificationConfirm(apdu) => object(json!({
            "apdu": "data-notification-confirm",
            "long-invoke-id-and-priority": long_invoke_id(apdu.long_invoke_id),
            "date-time": date_time(apdu.date_time),
        })),
        Apdu::ReadRequest(apdu) => object(json!({
            "apdu": "read-request",
            "list": list(&apdu.specifications, variable),
        })),
        Apdu::ReadResponse(apdu) => object(json!({
            "apdu": "read-response",
            "list": list(&apdu.results, read_result),
        })),
        Apdu::WriteRequest(apdu) => assignments("write-request", &apdu.specifications, &apdu.data),
        Apdu::WriteResponse(apdu) => object(json!({
            "apdu": "write-response",
            "list": list(&apdu.results, write_result),
        })),
        Apdu::UnconfirmedWriteRequest(apdu) => {
            assignments("unconfirmed-write-request", &apdu.specifications, &apdu.data)
        }
        Apdu::InformationReport(apdu) => {
            let mut fields = assignments("information-report-request", &apdu.specifications, &apdu.data);
            let time = apdu.current_time.map(|time| String::from_utf8_lossy(time).into_owned());
            fields.insert("current-time".into(), time.into());
            fields
        }
        Apdu::GeneralBlockTransfer(apdu) => {
            let mut fields = object(json!({ "apdu": "general-block-transfer" }));
            fields.extend(block_transfer(apdu));
            fields.insert("block-data".into(), hex(apdu.block_data).into());
            fields
        }
        Apdu::Aarq(_)
        | Apdu::Aare(_)
        | Apdu::ReleaseRequest(_)
        | Apdu::ReleaseResponse(_)
        | Apdu::ServiceCiphering(_)
        | Apdu::GeneralCipheringWithTitle(_)
        | Apdu::GeneralCiphering(_)
        | Apdu::GeneralSigning(_)
        | Apdu::Gateway(_) => return None,
    })
}

/// A value in the form of the command.
pub(crate) fn data(data: &Data<'_>) -> Value {
    serde_json::to_value(data).unwrap_or(Value::Null)
}

/// The header of a block of a general block transfer.
pub(crate) fn block_transfer(block: &GeneralBlockTransfer<'_>) -> Fields {
    object(json!({
        "last-block": block.last,
        "streaming": block.streaming,
        "window": block.window,
        "block-number": block.block_number,
        "block-number-ack": block.block_number_ack,
        "block-length": block.block_data.len(),
    }))
}

/// `{"data": …}` or `{"data-access-result": …}`.
pub(crate) fn get_data_result(result: &GetDataResult<'_>) -> Fields {
    object(match result {
        GetDataResult::Data(value) => json!({ "data": data(value) }),
        GetDataResult::DataAccessResult(result) => json!({ "data-access-result": result.code() }),
    })
}

/// The fields of a `json!` object.
pub(crate) fn object(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

fn initiate_request(apdu: &InitiateRequest<'_>) -> Fields {
    let mut fields = object(json!({
        "apdu": "initiate-request",
        "dedicated-key": apdu.dedicated_key.map(hex),
        "response-allowed": apdu.response_allowed,
    }));
    if let Some(quality) = apdu.proposed_quality_of_service {
        fields.insert("proposed-quality-of-service".into(), quality.into());
    }
    fields.extend(object(json!({
        "proposed-dlms-version": apdu.proposed_dlms_version_number,
        "conformance": hex(&apdu.proposed_conformance.octets()),
        "client-max-receive-pdu-size": apdu.client_max_receive_pdu_size,
    })));
    fields
}

fn initiate_response(apdu: &InitiateResponse) -> Fields {
    let mut fields = object(json!({ "apdu": "initiate-response" }));
    if let Some(quality) = apdu.negotiated_quality_of_service {
        fields.insert("negotiated-quality-of-service".into(), quality.into());
    }
    fields.extend(object(json!({
        "negotiated-dlms-version": apdu.negotiated_dlms_version_number,
        "conformance": hex(&apdu.negotiated_conformance.octets()),
        "server-max-receive-pdu-size": apdu.server_max_receive_pdu_size,
        "vaa-name": apdu.vaa_name,
    })));
    fields
}

fn confirmed_service_error(apdu: &ConfirmedServiceError) -> Fields {
    let group = match apdu.error {
        ServiceErrorGroup::ApplicationReference(_) => "application-reference",
        ServiceErrorGroup::HardwareResource(_) => "hardware-resource",
        ServiceErrorGroup::VdeStateError(_) => "vde-state-error",
        ServiceErrorGroup::Service(_) => "service",
        ServiceErrorGroup::Definition(_) => "definition",
        ServiceErrorGroup::Access(_) => "access",
        ServiceErrorGroup::Initiate(_) => "initiate",
        ServiceErrorGroup::LoadDataSet(_) => "load-data-set",
        ServiceErrorGroup::Task(_) => "task",
    };
    let mut fields = object(json!({ "apdu": "confirmed-service-error", "service": apdu.service }));
    fields.insert("service-error".into(), json!({ group: apdu.error.codes().1 }));
    fields
}

fn exception_response(apdu: &ExceptionResponse) -> Fields {
    let mut fields = object(json!({
        "apdu": "exception-response",
        "state-error": apdu.state_error.code(),
        "service-error": apdu.service_error.code(),
    }));
    if let ServiceError::InvocationCounterError(counter) = apdu.service_error {
        fields.insert("invocation-counter".into(), counter.into());
    }
    fields
}

/// The fields that the APDUs of GET, SET and ACTION begin with.
fn service(apdu: &str, invoke_id: InvokeIdAndPriority, choice: &str) -> Fields {
    object(json!({ "apdu": apdu, "invoke-id-and-priority": invoke_id.0, "choice": choice }))
}

fn get_request(apdu: &GetRequest<'_>) -> Fields {
    let service = |choice| service("get-request", apdu.invoke_id(), choice);
    match apdu {
        GetRequest::Normal { attribute, selection, .. } => {
            let item = AttributeDescriptorWithSelection { attribute: *attribute, selection: *selection };
            with(service("normal"), selected(&item))
        }
        GetRequest::Next { block_number, .. } => {
            with(service("next"), json!({ "block-number": block_number.0 }))
        }
        GetRequest::WithList { attributes, .. } => {
            with(service("with-list"), json!({ "list": list(attributes, selected) }))
        }
    }
}

fn get_response(apdu: &GetResponse<'_>) -> Fields {
    let service = |choice| service("get-response", apdu.invoke_id(), choice);
    match apdu {
        GetResponse::Normal { result, .. } => with(service("normal"), Value::Object(get_data_result(result))),
        GetResponse::WithDataBlock { block, .. } => {
            let head = json!({ "last-block": block.last, "block-number": block.number.0 });
            let result = match block.result {
                DataBlockResult::RawData(octets) => json!({ "raw-data": hex(octets) }),
                DataBlockResult::DataAccessResult(result) => json!({ "data-access-result": result.code() }),
            };
            with(with(service("with-datablock"), head), result)
        }
        GetResponse::WithList { results, .. } => with(
            service("with-list"),
            json!({ "list": list(results, |result| Value::Object(get_data_result(result))) }),
        ),
    }
}

fn set_request(apdu: &SetRequest<'_>) -> Fields {
    let service = |choice| service("set-request", apdu.invoke_id(), choice);
    match apdu {
        SetRequest::Normal { attribute, selection, value, .. } => {
            let item = AttributeDescriptorWithSelection { attribute: *attribute, selection: *selection };
            with(with(service("normal"), selected(&item)), json!({ "data": data(value) }))
        }
        SetRequest::WithFirstDataBlock { attribute, selection, block, .. } => {
            let item = AttributeDescriptorWithSelection { attribute: *attribute, selection: *selection };
            with(with(service("with-first-datablock"), selected(&item)), data_block(block))
        }
        SetRequest::WithDataBlock { block, .. } => with(service("with-datablock"), data_block(block)),
        SetRequest::WithList { attributes, values, .. } => with(
            service("with-list"),
            json!({ "list": list(attributes, selected), "data": list(values, data) }),
        ),
        SetRequest::WithListAndFirstDataBlock { attributes, block, .. } => with(
            with(service("with-list-and-first-datablock"), json!({ "list": list(attributes, selected) })),
            data_block(block),
        ),
    }
}

fn set_response(apdu: &SetResponse<'_>) -> Fields {
    let service = |choice| service("set-response", apdu.invoke_id(), choice);
    match apdu {
        SetResponse::Normal { result, .. } => {
            with(service("normal"), json!({ "data-access-result": result.code() }))
        }
        SetResponse::DataBlock { block_number, .. } => {
            with(service("datablock"), json!({ "block-number": block_number.0 }))
        }
        SetResponse::LastDataBlock { result, block_number, .. } => with(
            service("last-datablock"),
            json!({ "data-access-result": result.code(), "block-number": block_number.0 }),
        ),
        SetResponse::LastDataBlockWithList { results, block_number, .. } => with(
            service("last-datablock-with-list"),
            json!({
                "list": list(results, |result| result.code().into()),
                "block-number": block_number.0,
            }),
        ),
        SetResponse::WithList { results, .. } => {
            with(service("with-list"), json!({ "list": list(results, |result| result.code().into()) }))
        }
    }
}

fn action_request(apdu: &ActionRequest<'_>) -> Fields {
    let service = |choice| service("action-request", apdu.invoke_id(), choice);
    match apdu {
        ActionRequest::Normal { method: descriptor, parameters, .. } => with(
            service("normal"),
            json!({ "method": method(descriptor), "parameters": parameters.as_ref().map(data) }),
        ),
        ActionRequest::NextPblock { block_number, .. } => {
            with(service("next-pblock"), json!({ "block-number": block_number.0 }))
        }
        ActionRequest::WithList { methods, parameters, .. } => with(
            service("with-list"),
            json!({ "list": list(methods, method), "parameters": list(parameters, data) }),
        ),
        ActionRequest::WithFirstPblock { method: descriptor, block, .. } => with(
            with(service("with-first-pblock"), json!({ "method": method(descriptor) })),
            data_block(block),
        ),
        ActionRequest::WithListAndFirstPblock { methods, block, .. } => with(
            with(service("with-list-and-first-pblock"), json!({ "list": list(methods, method) })),
            data_block(block),
        ),
        ActionRequest::WithPblock { block, .. } => with(service("with-pblock"), data_block(block)),
    }
}

fn action_response(apdu: &ActionResponse<'_>) -> Fields {
    let service = |choice| service("action-response", apdu.invoke_id(), choice);
    let outcome = |result: u8, parameters: &Option<GetDataResult<'_>>| {
        let mut fields = object(json!({ "action-result": result }));
        fields.extend(parameters.iter().flat_map(get_data_result));
        Value::Object(fields)
    };
    match apdu {
        ActionResponse::Normal { result, return_parameters, .. } => {
            with(service("normal"), outcome(result.code(), return_parameters))
        }
        ActionResponse::WithPblock { block, .. } => with(service("with-pblock"), data_block(block)),
        ActionResponse::WithList { results, .. } => with(
            service("with-list"),
            json!({ "list": list(results, |item| outcome(item.result.code(), &item.return_parameters)) }),
        ),
        ActionResponse::NextPblock { block_number, .. } => {
            with(service("next-pblock"), json!({ "block-number": block_number.0 }))
        }
    }
}

fn access_request(apdu: &AccessRequest<'_>) -> Fields {
    object(json!({
        "apdu": "access-request",
        "long-invoke-id-and-priority": long_invoke_id(apdu.long_invoke_id),
        "date-time": date_time(apdu.date_time),
        "specification": list(&apdu.specifications, access_specification),
        "data": list(&apdu.data, data),
    }))
}

fn access_response(apdu: &AccessResponse<'_>) -> Fields {
    let mut fields = object(json!({
        "apdu": "access-response",
        "long-invoke-id-and-priority": long_invoke_id(apdu.long_invoke_id),
        "date-time": date_time(apdu.date_time),
    }));
    if let Some(specifications) = &apdu.request_specifications {
        fields.insert("specification".into(), list(specifications, access_specification));
    }
    fields.insert("data".into(), list(&apdu.data, data));
    let results = list(&apdu.specifications, |result| match result {
        AccessResponseSpecification::Get(result) => json!({ "get": result.code() }),
        AccessResponseSpecification::Set(result) => json!({ "set": result.code() }),
        AccessResponseSpecification::Action(result) => json!({ "action": result.code() }),
    });
    fields.insert("response-specification".into(), results);
    fields
}

fn access_specification(item: &AccessRequestSpecification<'_>) -> Value {
    let with_selection = |descriptor: &AttributeDescriptor, selection: &AccessSelector<'_>| {
        let fields = object(attribute(descriptor));
        Value::Object(with(fields, json!({ "selective-access": selector(selection) })))
    };
    match item {
        AccessRequestSpecification::Get(descriptor) => json!({ "get": attribute(descriptor) }),
        AccessRequestSpecification::Set(descriptor) => json!({ "set": attribute(descriptor) }),
        AccessRequestSpecification::Action(descriptor) => json!({ "action": method(descriptor) }),
        AccessRequestSpecification::GetWithSelection(descriptor, selection) => {
            json!({ "get-with-selection": with_selection(descriptor, selection) })
        }
        AccessRequestSpecification::SetWithSelection(descriptor, selection) => {
            json!({ "set-with-selection": with_selection(descriptor, selection) })
        }
    }
}

fn assignments(
    apdu: &str,
    specifications: &List<'_, VariableAccessSpecification<'_>>,
    values: &List<'_, Data<'_>>,
) -> Fields {
    object(json!({
        "apdu": apdu,
        "list": list(specifications, variable),
        "data": list(values, data),
    }))
}

fn variable(specification: &VariableAccessSpecification<'_>) -> Value {
    match specification {
        VariableAccessSpecification::VariableName(name) => json!({ "variable-name": name }),
        VariableAccessSpecification::ParameterizedAccess { name, selection } => json!({
            "parameterized-access": {
                "variable-name": name,
                "selector": selection.selector,
                "parameter": data(&selection.parameters),
            }
        }),
        VariableAccessSpecification::BlockNumberAccess(number) => {
            json!({ "block-number-access": { "block-number": number } })
        }
        VariableAccessSpecification::ReadDataBlockAccess { last, block_number, raw_data } => json!({
            "read-data-block-access": {
                "last-block": last,
                "block-number": block_number,
                "raw-data": hex(raw_data),
            }
        }),
        VariableAccessSpecification::WriteDataBlockAccess { last, block_number } => json!({
            "write-data-block-access": { "last-block": last, "block-number": block_number }
        }),
    }
}

fn read_result(result: &ReadResult<'_>) -> Value {
    match result {
        ReadResult::Data(value) => json!({ "data": data(value) }),
        ReadResult::DataAccessError(result) => json!({ "data-access-error": result.code() }),
        ReadResult::DataBlockResult { last, block_number, raw_data } => json!({
            "data-block-result": {
                "last-block": last,
                "block-number": block_number,
                "raw-data": hex(raw_data),
            }
        }),
        ReadResult::BlockNumber(number) => json!({ "block-number": number }),
    }
}

fn write_result(result: &WriteResult) -> Value {
    match result {
        WriteResult::Success => json!({ "success": null }),
        WriteResult::DataAccessError(result) => json!({ "data-access-error": result.code() }),
        WriteResult::BlockNumber(number) => json!({ "block-number": number }),
    }
}

fn data_block(block: &DataBlock<'_>) -> Value {
    json!({ "last-block": block.last, "block-number": block.number.0, "raw-data": hex(block.raw_data) })
}

fn selected(item: &AttributeDescriptorWithSelection<'_>) -> Value {
    json!({
        "attribute": attribute(&item.attribute),
        "selective-access": item.selection.as_ref().map(selector),
    })
}

fn selector(selection: &AccessSelector<'_>) -> Value {
    json!({ "access-selector": selection.selector, "access-parameters": data(&selection.parameters) })
}

fn attribute(descriptor: &AttributeDescriptor) -> Value {
    json!({
        "class-id": descriptor.class_id,
        "instance-id": hex(descriptor.instance_id.octets()),
        "attribute-id": descriptor.attribute_id,
    })
}

fn method(descriptor: &MethodDescriptor) -> Value {
    json!({
        "class-id": descriptor.class_id,
        "instance-id": hex(descriptor.instance_id.octets()),
        "method-id": descriptor.method_id,
    })
}

fn long_invoke_id(id: LongInvokeIdAndPriority) -> String {
    hex(&id.0.to_be_bytes())
}

fn date_time(date_time: Option<DateTime>) -> String {
    date_time.map_or_else(String::new, |date_time| hex(&date_time.0))
}

fn list<'a, T: Element<'a>>(elements: &List<'a, T>, explain: impl Fn(&T) -> Value) -> Value {
    elements.iter().map(|element| explain(&element)).collect()
}

fn with(mut fields: Fields, more: Value) -> Fields {
    fields.extend(object(more));
    fields
}
