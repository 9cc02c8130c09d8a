//! The pictures of users and groups: small PNG images drawn from the name, so that each name looks its own.
//!
//! Pure: the same name and size always give the same bytes.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
};

/// The pattern is this many cells wide and high, mirrored left to right.
const CELLS: u32 = 5;
/// The size where none is asked for, in pixels.
const DEFAULT_SIZE: u32 = 128;
/// The greatest size drawn, in pixels; Gitter's own greatest known size is 128.
const MAX_SIZE: u32 = 512;

/// A square PNG image for `name`, `size` pixels wide (128 where absent, at most 512).
///
/// # Errors
/// When the encoder fails, which it has no reason to do in memory.
pub(crate) fn draw(name: &str, size: Option<u32>) -> Result<Vec<u8>, png::EncodingError> {
    let size = size.unwrap_or(DEFAULT_SIZE).clamp(CELLS, MAX_SIZE);
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let hash = hasher.finish();
    let [red, green, blue, ..] = hash.to_le_bytes();
    let ink = [red / 2, green / 2, blue / 2];
    let paper = [240, 240, 240];

    let mut pixels = Vec::new();
    for y in 0..size {
        for x in 0..size {
            let (column, row) = (x * CELLS / size, y * CELLS / size);
            let mirrored = column.min(CELLS - 1 - column);
            let bit = 24 + row * CELLS.div_ceil(2) + mirrored;
            pixels.extend(if hash >> bit & 1 == 1 { ink } else { paper });
        }
    }

    let mut image = Vec::new();
    let mut encoder = png::Encoder::new(&mut image, size, size);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(image: &[u8]) -> (u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(image))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        (frame.width, pixels)
    }

    #[test]
    fn names_give_valid_pictures_of_the_size_asked_that_differ() {
        let wren = draw("wren", Some(60)).unwrap();
        let kelp = draw("kelp", Some(60)).unwrap();
        assert_eq!(pixels(&wren).0, 60);
        assert_ne!(pixels(&wren).1, pixels(&kelp).1);
        assert_eq!(wren, draw("wren", Some(60)).unwrap());
    }

    #[test]
    fn sizes_are_kept_in_bounds() {
        assert_eq!(pixels(&draw("wren", None).unwrap()).0, 128);
        assert_eq!(pixels(&draw("wren", Some(0)).unwrap()).0, 5);
        assert_eq!(pixels(&draw("wren", Some(u32::MAX)).unwrap()).0, 512);
    }
}
