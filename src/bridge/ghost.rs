//! Ghosts: known to the homeserver, with a device, name and picture, and in the room, before they speak.
//!
//! Each step is done once and remembered; doing one again does no harm.

use ruma::{DeviceId, OwnedMxcUri, UserId};
use tracing::warn;
use url::Url;

use super::{Bridge, BridgeError, kill_point::KillPoint, now};
use crate::{
    gitter::picture_url,
    matrix::{DeviceMemory, GitterUser, MatrixError},
    model,
    store::{Direction, Ghost, Member, Portal, StoreError, Tx, ghost, member},
    translate::{ghost_display_name, to_matrix::FORMER_USER},
};

/// The device that every user of ours sends with.
const DEVICE: &str = "GITTER_BRIDGE";

/// Makes a ghost, or the bot, ready to send into a portal's room; gives the device it sends with.
/// `author` is the Gitter user as the message shows it; none where the bot speaks for itself.
pub(super) async fn prepare(
    bridge: &Bridge,
    portal: &Portal,
    sender: &UserId,
    author: Option<&model::User>,
) -> Result<Option<String>, BridgeError> {
    if sender != bridge.matrix.bot()
        && let Some(author) = author
        && let Some(ghost) = learn(bridge, sender, author).await?
    {
        introduce(bridge, &ghost).await?;
    }
    let device = device(bridge, sender).await?;
    let mut tx = bridge.db.read().await?;
    let known = member::member(&mut tx, &portal.matrix_room_id, sender).await?;
    drop(tx);
    if known.is_none_or(|member| member.membership != "join") {
        join(bridge, portal, sender).await?;
    }
    Ok(device)
}

/// Makes a ghost known to the homeserver, with its name and picture.
pub(super) async fn introduce(bridge: &Bridge, ghost: &Ghost) -> Result<(), BridgeError> {
    if !ghost.registered {
        bridge.matrix.register(&ghost.user_id).await?;
        KillPoint::Registered.reached(Direction::ToMatrix);
        let mut tx = bridge.db.write().await?;
        ghost::mark_registered(&mut tx, &ghost.user_id).await?;
        tx.commit().await?;
    }
    show_profile(bridge, ghost).await
}

impl Bridge {
    /// Whether a user is a ghost that the homeserver knows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_ghost(&self, user: &str) -> Result<bool, BridgeError> {
        let Ok(user) = UserId::parse(user) else {
            return Ok(false);
        };
        let mut tx = self.db.read().await?;
        let ghost = ghost::ghost_by_user_id(&mut tx, &user).await?;
        Ok(ghost.is_some_and(|ghost| ghost.registered))
    }
}

/// Joins a ghost to a portal's room; the bot invites it where it may not join by itself.
pub(super) async fn join(bridge: &Bridge, portal: &Portal, sender: &UserId) -> Result<(), BridgeError> {
    let room = &portal.matrix_room_id;
    match bridge.matrix.join(room, sender).await {
        Err(error) if error.is("M_FORBIDDEN") && sender != bridge.matrix.bot() => {
            bridge.matrix.invite(room, bridge.matrix.bot(), sender).await?;
            bridge.matrix.join(room, sender).await?;
        }
        joined => joined?,
    }
    KillPoint::Joined.reached(Direction::ToMatrix);
    let mut tx = bridge.db.write().await?;
    let joined = Member {
        user_id: sender.to_owned(),
        membership: "join".to_owned(),
        display_name: String::new(),
        avatar_url: String::new(),
    };
    member::record_member(&mut tx, room, &joined).await?;
    tx.commit().await?;
    Ok(())
}

/// The ghost of a message's author, with what the message shows of the author noted.
pub(super) async fn learn(
    bridge: &Bridge,
    sender: &UserId,
    author: &model::User,
) -> Result<Option<Ghost>, BridgeError> {
    if author.account_id().is_none() {
        return Ok(None);
    }
    let mut tx = bridge.db.write().await?;
    let known = ghost::ghost_by_user_id(&mut tx, sender).await?;
    let learned = note(bridge, &mut tx, sender, author, known).await?;
    tx.commit().await?;
    Ok(learned)
}

/// Notes what Gitter shows of a user; `known` is the ghost so far, and `user_id` its id on Matrix. Gives the ghost as it is
/// then; none for who has no account.
pub(super) async fn note(
    bridge: &Bridge,
    tx: &mut Tx,
    user_id: &UserId,
    author: &model::User,
    known: Option<Ghost>,
) -> Result<Option<Ghost>, StoreError> {
    let Some(gitter_user_id) = author.account_id() else {
        return Ok(None);
    };
    let picture = picture_url(
        author.avatar_url.as_deref(),
        author.avatar_url_medium.as_deref(),
        &bridge.settings.web_url,
    );
    let avatar_url = picture.map(String::from).unwrap_or_default();
    // An account that is gone leaves neither its name nor its picture behind.
    let (display_name, avatar_url) = if author.is_gone() {
        (FORMER_USER.to_owned(), String::new())
    } else {
        (author.name().to_owned(), avatar_url)
    };
    let ghost = match known {
        // A bare id, as in exports, tells nothing about the user.
        Some(known) if author.username.is_empty() => known,
        Some(known) => {
            let learned = Ghost {
                username: author.username.clone(),
                display_name,
                avatar_url,
                ..known.clone()
            };
            if learned != known {
                ghost::update_ghost(tx, &learned).await?;
            }
            learned
        }
        None => {
            let made = Ghost {
                gitter_user_id,
                user_id: user_id.to_owned(),
                username: author.username.clone(),
                display_name,
                avatar_url,
                registered: false,
                shown_name: String::new(),
                shown_avatar: String::new(),
                shown_username: String::new(),
            };
            ghost::insert_ghost(tx, &made).await?;
            made
        }
    };
    Ok(Some(ghost))
}

/// Sets the ghost's Matrix name and picture where Gitter's are others. A picture that cannot be had now
/// does not hold the message up.
async fn show_profile(bridge: &Bridge, ghost: &Ghost) -> Result<(), BridgeError> {
    if ghost.username.is_empty() {
        // Somebody who was forgotten, and of whom nothing was learnt since.
        return Ok(());
    }
    let template = &bridge.settings.translation.ghost_display_name;
    let name = ghost_display_name(template, &ghost.display_name, &ghost.username);
    let mut shown = Ghost {
        shown_name: name,
        shown_username: ghost.username.clone(),
        ..ghost.clone()
    };
    if shown == *ghost && ghost.avatar_url == ghost.shown_avatar {
        return Ok(());
    }
    if shown.shown_name != ghost.shown_name {
        let set = bridge.matrix.set_display_name(&ghost.user_id, &shown.shown_name);
        allowed(ghost, set.await)?;
    }
    if shown.shown_username != ghost.shown_username {
        let user = GitterUser {
            username: &ghost.username,
            url: &profile_page(&bridge.settings.web_url, &ghost.username),
        };
        allowed(ghost, bridge.matrix.set_gitter_user(&ghost.user_id, &user).await)?;
    }
    if ghost.avatar_url.is_empty() && !ghost.shown_avatar.is_empty() {
        allowed(ghost, bridge.matrix.set_avatar(&ghost.user_id, "".into()).await)?;
        shown.shown_avatar.clear();
    } else if ghost.avatar_url != ghost.shown_avatar && bridge.absent_pictures.may_try(&ghost.avatar_url) {
        match upload_picture(bridge, &ghost.avatar_url).await {
            Ok(mxc) => {
                allowed(ghost, bridge.matrix.set_avatar(&ghost.user_id, &mxc).await)?;
                shown.shown_avatar.clone_from(&ghost.avatar_url);
            }
            Err(error) => {
                bridge.absent_pictures.note(&ghost.avatar_url);
                warn!(ghost.id = %ghost.user_id, error = %error, "A ghost goes without its picture for now");
            }
        }
    }
    KillPoint::Shown.reached(Direction::ToMatrix);
    let mut tx = bridge.db.write().await?;
    ghost::record_profile(&mut tx, &shown).await?;
    tx.commit().await?;
    Ok(())
}

/// The page of a Gitter user (gitter-api 4.5).
fn profile_page(web_url: &Url, username: &str) -> String {
    format!("{}/{username}", web_url.as_str().trim_end_matches('/'))
}

/// A homeserver may refuse a name or a picture; messages cross all the same.
fn allowed(ghost: &Ghost, set: Result<(), MatrixError>) -> Result<(), MatrixError> {
    match set {
        Err(error) if error.refuses() => {
            warn!(ghost.id = %ghost.user_id, error = %error, "The homeserver does not let a ghost set its profile");
            Ok(())
        }
        set => set,
    }
}

/// Uploads a picture of a Gitter user, once, however many ask for it at once.
pub(super) async fn upload_picture(bridge: &Bridge, source: &str) -> Result<OwnedMxcUri, BridgeError> {
    let _alone = bridge.locks.lock(&format!("picture {source}")).await;
    let mut tx = bridge.db.read().await?;
    if let Some(mxc) = ghost::avatar(&mut tx, source).await? {
        return Ok(mxc.into());
    }
    drop(tx);
    let picture = bridge.pictures.fetch(source).await?;
    let bot = bridge.matrix.bot();
    let mxc = bridge
        .matrix
        .upload(bot, picture.bytes, picture.content_type, Some("avatar"))
        .await?;
    let mut tx = bridge.db.write().await?;
    let kept = ghost::record_avatar(&mut tx, source, mxc.as_str(), now()).await?;
    tx.commit().await?;
    Ok(kept.into())
}

/// The device that a user of ours sends with; none where the homeserver knows no devices of ours.
pub(super) async fn device(bridge: &Bridge, sender: &UserId) -> Result<Option<String>, BridgeError> {
    if !bridge.has_device_memory() {
        return Ok(None);
    }
    let mut tx = bridge.db.read().await?;
    if let Some(device) = ghost::device(&mut tx, sender).await? {
        return Ok(Some(device.device_id));
    }
    drop(tx);
    let memory = bridge
        .matrix
        .create_device(sender, <&DeviceId>::from(DEVICE), "gitter-matrix-bridge")
        .await?;
    if memory == DeviceMemory::None {
        bridge.forget_device_memory();
        return Ok(None);
    }
    KillPoint::DeviceMade.reached(Direction::ToMatrix);
    let mut tx = bridge.db.write().await?;
    ghost::record_device(&mut tx, sender, DEVICE, now()).await?;
    tx.commit().await?;
    Ok(Some(DEVICE.to_owned()))
}
