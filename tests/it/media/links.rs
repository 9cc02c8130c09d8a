//! What a link shows, how, and when not.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gitter_matrix_bridge::{
    bridge::media::{Links, avatar_link},
    store,
};
use ruma::UserId;
use serde_json::json;

use super::{EVENT, MAX_BYTES, NOW, Setup, header, sent};
use crate::homeserver::{Effect, Fault, Stage};

#[tokio::test]
async fn a_file_is_shown_whole_or_in_part_without_a_login() {
    let setup = Setup::start().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let mxc = setup.homeserver.add_media("image/png", bytes.clone());
    let content = json!({ "body": "a](b) ..\\ü.txt" });
    let stand_in = format!("media:{mxc}");
    let link = setup.link(&stand_in, &content).await;
    assert_eq!(setup.link(&stand_in, &content).await, link);

    for link in [link.clone(), link.replace("/bridge/", "/")] {
        let whole = sent(setup.get(&link)).await;
        assert_eq!(whole.status(), 200);
        for (name, value) in [
            ("content-type", "image/png"),
            ("content-length", "300000"),
            ("accept-ranges", "bytes"),
            ("cache-control", "private, max-age=300"),
            ("x-content-type-options", "nosniff"),
            (
                "content-disposition",
                "inline; filename=\"a](b) ..__.txt\"; filename*=UTF-8''a%5D%28b%29%20.._%C3%BC.txt",
            ),
        ] {
            assert_eq!(header(&whole, name), value, "{name}");
        }
        assert!(header(&whole, "content-security-policy").starts_with("sandbox; default-src 'none'"));
        assert_eq!(whole.bytes().await.unwrap(), bytes);
    }
    let part = sent(setup.get(&link).header("range", "bytes=100000-100009")).await;
    assert_eq!(part.status(), 206);
    assert_eq!(header(&part, "content-range"), "bytes 100000-100009/300000");
    assert_eq!(part.bytes().await.unwrap(), bytes[100_000..100_010]);
    let beyond = sent(setup.get(&link).header("range", "bytes=300000-")).await;
    assert_eq!(
        (beyond.status().as_u16(), header(&beyond, "content-range")),
        (416, "bytes */300000")
    );

    let head = sent(setup.http.head(&link)).await;
    assert_eq!(
        (head.status().as_u16(), header(&head, "content-length")),
        (200, "300000")
    );
    let tag = header(&head, "etag").to_owned();
    let known = sent(setup.get(&link).header("if-none-match", &tag)).await;
    assert_eq!(known.status(), 304);
    let changed = setup
        .get(&link)
        .header("range", "bytes=0-0")
        .header("if-range", "\"x\"");
    assert_eq!(sent(changed).await.status(), 200);
    let same = setup
        .get(&link)
        .header("range", "bytes=0-0")
        .header("if-range", tag);
    assert_eq!(sent(same).await.status(), 206);
}

#[tokio::test]
async fn what_browsers_run_is_saved_and_not_shown() {
    let setup = Setup::start().await;
    for content_type in ["text/html", "image/svg+xml", "text/javascript"] {
        let mxc = setup.homeserver.add_media(content_type, b"<script>".to_vec());
        for stand_in in [format!("media:{mxc}"), format!("thumbnail:{mxc}")] {
            let link = setup.link(&stand_in, &json!({ "body": "x" })).await;
            let answer = sent(setup.get(&link)).await;
            assert_eq!(header(&answer, "content-type"), "application/octet-stream");
            assert!(header(&answer, "content-disposition").starts_with("attachment;"));
        }
    }
}

#[tokio::test]
async fn pictures_are_small_in_messages_and_beside_names() {
    let setup = Setup::start().await;
    let mxc = setup.homeserver.add_media("image/png", vec![1; 100]);
    let link = setup.link(&format!("thumbnail:{mxc}"), &json!({})).await;
    assert_eq!(
        sent(setup.get(&link)).await.text().await.unwrap(),
        "800x600 scale"
    );

    let ana = UserId::parse("@ana:localhost").unwrap();
    let mut tx = setup.db.write().await.unwrap();
    let avatar = async |tx: &mut _| {
        avatar_link(tx, &setup.links, &ana, &mxc, NOW)
            .await
            .unwrap()
            .unwrap()
    };
    let link = avatar(&mut tx).await;
    assert_eq!(avatar(&mut tx).await, link);
    tx.commit().await.unwrap();
    assert_eq!(sent(setup.get(&link)).await.text().await.unwrap(), "128x128 crop");
}

#[tokio::test]
async fn a_full_text_is_a_page_that_runs_nothing() {
    let setup = Setup::start().await;
    let content = json!({ "body": "first\n<script>alert(1)</script> & more" });
    let link = setup.link(&format!("fulltext:{EVENT}"), &content).await;
    let answer = sent(setup.get(&link)).await;
    assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
    assert!(header(&answer, "content-security-policy").starts_with("sandbox;"));
    let page = answer.text().await.unwrap();
    assert!(
        page.contains("first\n&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"),
        "{page}"
    );

    let mut tx = setup.db.write().await.unwrap();
    store::media::revoke_by_event(&mut tx, &setup.matrix_room, EVENT)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let answer = sent(setup.get(&link)).await;
    assert_eq!(answer.status(), 410);
    assert!(!answer.text().await.unwrap().contains("first"));
}

#[tokio::test]
async fn a_link_that_may_not_be_followed_says_why() {
    let mut setup = Setup::start().await;
    let mxc = setup.homeserver.add_media("image/png", vec![1; 100]);
    let link = setup.link(&format!("media:{mxc}"), &json!({})).await;
    let status = async |setup: &Setup, link: &str| sent(setup.get(link)).await.status().as_u16();
    assert_eq!(status(&setup, &link).await, 200);
    assert_eq!(status(&setup, &format!("{link}A")).await, 403);
    assert_eq!(status(&setup, link.get(..link.len() - 2).unwrap()).await, 403);
    for _ in 0..2_000 {
        let random: [u8; 36] = rand::random();
        let random = format!("{}{}", &link[..link.len() - 48], URL_SAFE_NO_PAD.encode(random));
        assert_eq!(status(&setup, &random).await, 403);
    }

    let mut tx = setup.db.write().await.unwrap();
    store::media::suspend(&mut tx, &setup.gitter_room).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status(&setup, &link).await, 410);
    let mut tx = setup.db.write().await.unwrap();
    store::media::resume(&mut tx, &setup.gitter_room).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(status(&setup, &link).await, 200);

    setup.links = Links {
        signer: setup.links.signer,
        expires: Some(Duration::from_hours(1)),
    };
    let expired = setup.link(&format!("media:{mxc}"), &json!({})).await;
    assert_eq!(status(&setup, &expired).await, 410);
    setup.links.expires = None;

    let missing = setup.link("media:mxc://localhost/missing", &json!({})).await;
    assert_eq!(status(&setup, &missing).await, 404);
    let size = usize::try_from(MAX_BYTES).unwrap() + 1;
    let large = setup.homeserver.add_media("image/png", vec![1; size]);
    let large = setup.link(&format!("media:{large}"), &json!({})).await;
    assert_eq!(status(&setup, &large).await, 403);

    setup.homeserver.add_fault(Fault {
        method: Method::GET,
        path: "/media/download/",
        times: 1,
        stage: Stage::Before,
        effect: Effect::Status {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            errcode: None,
            retry_after: None,
        },
    });
    let other = setup.homeserver.add_media("image/png", vec![2; 100]);
    let link = setup.link(&format!("media:{other}"), &json!({})).await;
    assert_eq!(status(&setup, &link).await, 502);
    setup.homeserver.stop().await;
    assert_eq!(status(&setup, &link).await, 502);
}
