//! `dlms invoke`: one method.

use cosem_objects::ActionResult;
use dlms_axdr::OwnedData;
use serde::Serialize;

use crate::args::InvokeArgs;
use crate::classes;
use crate::failure::{Exit, Failure, Result};
use crate::output::{self, tree::Node};
use crate::parse::hex;
use crate::parse::value::{self, Typed};
use crate::session::{Session, refused, slug};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Outcome {
    class_id: u16,
    instance_id: String,
    method_id: i8,
    action_result: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<OwnedData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_access_result: Option<u8>,
}

pub(crate) async fn run(args: &InvokeArgs, json: bool) -> Result<()> {
    let target = args.connection.resolve()?;
    let parameter = parameter(args)?;
    let method = args.method.method();
    let mut session = Session::open(&target).await?;
    let outcome = session.invoke(method, &parameter).await;
    session.release().await;
    let (result, returned) = outcome?;
    let subject = format!("{}:{}:{}", method.class_id, method.logical_name, method.method_index);
    let is_done = result == ActionResult::Success;
    if json {
        output::json(&Outcome {
            class_id: method.class_id,
            instance_id: hex::text(method.logical_name.octets()),
            method_id: method.method_index,
            action_result: result.code(),
            data: returned.as_ref().and_then(|value| value.clone().ok()),
            data_access_result: returned
                .as_ref()
                .and_then(|value| value.as_ref().err())
                .map(|result| result.code()),
        })?;
    } else if is_done {
        output::line(&format!("{subject} {}", output::good().apply_to("done")))?;
        match &returned {
            None => {}
            Some(Ok(value)) => output::text(&Node::of_data(value.as_data()).text())?,
            Some(Err(result)) => {
                let result = slug(&format!("{result:?}"));
                output::line(&format!("no return value: {}", output::bad().apply_to(result)))?;
            }
        }
    }
    match is_done {
        true => Ok(()),
        false if json => {
            eprintln!("dlms: {}", refused(subject, result));
            Err(Failure::told(Exit::Refused))
        }
        false => Err(refused(subject, result)),
    }
}

fn parameter(args: &InvokeArgs) -> Result<OwnedData> {
    let method = classes::definition(args.method.class_id).and_then(|class| class.method(args.method.index));
    let Some(text) = &args.value else { return Ok(OwnedData::Integer(0)) };
    match (Typed::parse(text)?, method) {
        (Typed::Data(value), _) => Ok(value),
        (Typed::Bare(text), Some(method)) => value::of_type(&text, method.parameter).ok_or_else(|| {
            Failure::usage(format!("{text:?} is no {}", method.parameter))
                .hint("give the value in its JSON form")
        }),
        (Typed::Bare(_), None) => Err(Failure::usage("the type of the method's parameter is not known")
            .hint("give the value in its JSON form")),
    }
}
