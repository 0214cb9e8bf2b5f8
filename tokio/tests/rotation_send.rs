//! A head-end rotates the keys of thousands of meters: the futures go to any thread.
#![allow(missing_docs, clippy::unwrap_used)]

use dlms::client::rotation::{Access, KeyRotation, RotationStore, SetupKeys};
use dlms_tokio::{Client, ClientOptions, Error, rotate_key};

#[allow(dead_code, reason = "that it compiles is the test")]
fn spawned(
    mut store: impl RotationStore + Send + 'static,
    mut rotation: KeyRotation,
    options: fn(SetupKeys) -> ClientOptions,
) -> tokio::task::JoinHandle<Result<(), Error>> {
    tokio::spawn(async move {
        let provider = dlms_tokio::provider();
        let connect = move |_: Access, keys: Option<SetupKeys>| async move {
            let keys = keys.ok_or(Error::Unexpected)?;
            Client::connect(options(keys)).await
        };
        rotate_key(&provider, &mut store, None, &mut rotation, connect).await
    })
}
