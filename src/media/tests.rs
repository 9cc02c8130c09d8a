//! Links: what is made is read back, and nothing else is.

use proptest::prelude::*;

use super::*;
use crate::{config, translate::context::DEFAULT_LINK_UNITS};

const NOW: i64 = 1_700_000_000;

fn signer(keys: &[&str]) -> Signer {
    let keys: Vec<SecretString> = keys.iter().map(|key| SecretString::from(*key)).collect();
    Signer::new(&keys, &Url::parse("https://bridge.example.org/gitter").unwrap()).unwrap()
}

fn claims(purpose: MediaPurpose, expires: Option<u32>) -> Claims {
    let id = MediaId::from_bytes(*b"twelve bytes");
    Claims { id, purpose, expires }
}

fn signed(signer: &Signer, claims: &Claims) -> String {
    let link = signer.link(claims).unwrap();
    let signed = link.strip_prefix("https://bridge.example.org/gitter/media/");
    signed.unwrap().to_owned()
}

#[test]
fn what_is_made_is_read_back() {
    let signer = signer(&["key"]);
    for purpose in MediaPurpose::ALL {
        for expires in [None, Some(u32::MAX)] {
            let claims = claims(purpose, expires);
            assert_eq!(signer.read(&signed(&signer, &claims), NOW), Ok(claims));
        }
    }
}

#[test]
fn a_link_is_as_long_as_translation_counts_at_most() {
    let longest = format!("https://{}.org", "a".repeat(config::LONGEST_PUBLIC_URL - 12));
    assert_eq!(longest.len(), config::LONGEST_PUBLIC_URL);
    let signer = Signer::new(&["key".into()], &Url::parse(&longest).unwrap()).unwrap();
    let link = signer.link(&claims(MediaPurpose::Media, None)).unwrap();
    assert_eq!(link.len(), DEFAULT_LINK_UNITS);
}

#[test]
fn an_expired_link_is_told_from_a_wrong_one() {
    let signer = signer(&["key"]);
    let link = signed(&signer, &claims(MediaPurpose::Media, Some(1_700_000_000)));
    assert_eq!(signer.read(&link, NOW), Err(LinkError::Expired));
    assert!(signer.read(&link, NOW - 1).is_ok());
    let forged = format!("{}AAAA", link.get(..44).unwrap());
    assert_eq!(signer.read(&forged, NOW), Err(LinkError::Invalid));
}

#[test]
fn a_changed_link_is_invalid() {
    let signer = signer(&["key"]);
    let link = signed(&signer, &claims(MediaPurpose::Media, Some(u32::MAX)));
    for at in 0..link.len() {
        for character in "AB_-9=%/ .".chars() {
            let mut changed: Vec<char> = link.chars().collect();
            if changed[at] != character {
                changed[at] = character;
                let changed: String = changed.into_iter().collect();
                assert_eq!(signer.read(&changed, NOW), Err(LinkError::Invalid), "{changed}");
            }
        }
        assert_eq!(signer.read(link.get(..at).unwrap(), NOW), Err(LinkError::Invalid));
    }
    for around in [format!("{link}="), format!("{link}A"), format!(" {link}")] {
        assert_eq!(signer.read(&around, NOW), Err(LinkError::Invalid));
    }
}

#[test]
fn a_link_for_one_purpose_is_none_for_another() {
    let signer = signer(&["key"]);
    let link = signed(&signer, &claims(MediaPurpose::Thumbnail, None));
    let mut bytes = URL_SAFE_NO_PAD.decode(link).unwrap();
    for code in (0..=u8::MAX).filter(|code| *code != 2) {
        bytes[0] = code;
        let forged = URL_SAFE_NO_PAD.encode(&bytes);
        assert_eq!(signer.read(&forged, NOW), Err(LinkError::Invalid));
    }
}

#[test]
fn the_first_key_signs_and_all_verify() {
    let old = signer(&["old"]);
    let rotated = signer(&["new", "old"]);
    let claims = claims(MediaPurpose::Avatar, None);
    assert_eq!(rotated.read(&signed(&old, &claims), NOW).as_ref(), Ok(&claims));
    let link = signed(&rotated, &claims);
    assert_eq!(signer(&["new"]).read(&link, NOW), Ok(claims));
    assert_eq!(old.read(&link, NOW), Err(LinkError::Invalid));
    let url = Url::parse("https://a.example").unwrap();
    assert!(Signer::new(&[], &url).is_err());
}

#[test]
fn keys_are_not_printed() {
    assert!(!format!("{:?}", signer(&["S3CRET"])).contains("S3CRET"));
}

#[test]
fn two_thousand_random_texts_are_no_links() {
    let signer = signer(&["key"]);
    for _ in 0..2_000 {
        let bytes: [u8; 36] = rand::random();
        let text = URL_SAFE_NO_PAD.encode(bytes);
        assert_eq!(signer.read(&text, NOW), Err(LinkError::Invalid), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}", now in any::<i64>()) {
        prop_assert_eq!(signer(&["key"]).read(&text, now), Err(LinkError::Invalid));
    }

    #[test]
    fn any_claims_are_read_back(id in any::<[u8; 12]>(), purpose in 0..4_usize, expires in 1_u32..) {
        let signer = signer(&["key", "other"]);
        let claims = Claims {
            id: MediaId::from_bytes(id),
            purpose: MediaPurpose::ALL[purpose],
            expires: Some(expires),
        };
        let link = signed(&signer, &claims);
        prop_assert_eq!(signer.read(&link, i64::from(expires) - 1), Ok(claims));
        prop_assert_eq!(signer.read(&link, i64::from(expires)), Err(LinkError::Expired));
    }
}
