//! A layer's archive, and an archive of images. The first byte says which.
#![no_main]

use std::io::Cursor;

use ccf_gov::evidence::layers::{image, measure};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    match data {
        [0, archive @ ..] => drop(image::images(&mut Cursor::new(archive))),
        [_, layer @ ..] => drop(measure(layer)),
        [] => {}
    }
});
