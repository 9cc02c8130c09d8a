//! Account data of the bot: what a bridge leaves on the homeserver for itself, seen by nobody else.

use ruma::{
    api::client::config::{get_global_account_data, set_global_account_data},
    events::GlobalAccountDataEventType,
    serde::Raw,
};
use serde_json::Value;

use super::{
    Endpoint, MatrixClient, MatrixError,
    room::found,
    transport::{unreadable, unwritable},
};

impl MatrixClient {
    /// What the bot has under a type; none if it was never set.
    pub async fn account_data(&self, event_type: &str) -> Result<Option<Value>, MatrixError> {
        let endpoint = Endpoint::AccountData;
        let event_type = GlobalAccountDataEventType::from(event_type);
        let request = get_global_account_data::v3::Request::new(self.bot().to_owned(), event_type);
        found(self.call_as(endpoint, self.bot(), request).await)?
            .map(|answer| serde_json::from_str(answer.account_data.json().get()))
            .transpose()
            .map_err(|source| unreadable(endpoint, source))
    }

    /// Sets what the bot has under a type.
    pub async fn set_account_data(&self, event_type: &str, content: &Value) -> Result<(), MatrixError> {
        let endpoint = Endpoint::SetAccountData;
        let event_type = GlobalAccountDataEventType::from(event_type);
        let content = Raw::new(content).map_err(|source| unwritable(endpoint, source))?;
        let content = content.cast_unchecked();
        let request =
            set_global_account_data::v3::Request::new_raw(self.bot().to_owned(), event_type, content);
        self.call_as(endpoint, self.bot(), request).await?;
        Ok(())
    }
}
