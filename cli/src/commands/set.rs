//! `dlms set`: one attribute.

use cosem_objects::DataAccessResult;
use dlms_axdr::OwnedData;
use serde::Serialize;

use super::read::subject;
use crate::args::SetArgs;
use crate::classes;
use crate::failure::{Exit, Failure, Result};
use crate::output;
use crate::parse::hex;
use crate::parse::value::{self, Typed};
use crate::session::{Session, refused};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Outcome {
    class_id: u16,
    instance_id: String,
    attribute_id: i8,
    data_access_result: u8,
}

pub(crate) async fn run(args: &SetArgs, json: bool) -> Result<()> {
    let target = args.connection.resolve()?;
    let typed = Typed::parse(&args.value)?;
    let mut session = Session::open(&target).await?;
    let result = set(&mut session, args, typed).await;
    session.release().await;
    let result = result?;
    let attribute = args.attribute.attribute();
    if json {
        output::json(&Outcome {
            class_id: attribute.class_id,
            instance_id: hex::text(attribute.logical_name.octets()),
            attribute_id: attribute.attribute_index,
            data_access_result: result.code(),
        })?;
    }
    let failure = refused(subject(attribute), result);
    match result {
        DataAccessResult::Success if json => Ok(()),
        DataAccessResult::Success => {
            Ok(output::line(&format!("{} {}", subject(attribute), output::good().apply_to("set")))?)
        }
        _ if json => {
            eprintln!("dlms: {failure}");
            Err(Failure::told(Exit::Refused))
        }
        _ => Err(failure),
    }
}

async fn set(session: &mut Session, args: &SetArgs, typed: Typed) -> Result<DataAccessResult> {
    let attribute = args.attribute.attribute();
    let value = match typed {
        Typed::Data(value) => value,
        Typed::Bare(text) => match defined(args, &text) {
            Some(value) => value,
            None => {
                let present = session.get(attribute).await?.map_err(|result| {
                    refused(subject(attribute), result)
                        .about("the type is not known and the present value cannot be read")
                        .hint("give the value in its JSON form")
                })?;
                value::like(&text, present.as_data())?
            }
        },
    };
    session.set(attribute, &value).await
}

/// The value by the definition of the class, where that says more than `octet-string`.
fn defined(args: &SetArgs, text: &str) -> Option<OwnedData> {
    let attribute = classes::definition(args.attribute.class_id)?.attribute(args.attribute.index)?;
    if attribute.data_type.starts_with("octet-string") {
        return None;
    }
    value::of_type(text, attribute.data_type)
}
