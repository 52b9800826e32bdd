use std::io::{Read as _, Write as _};
use std::path::Path;

use age::armor::{ArmoredReader, ArmoredWriter, Format};

use super::super::Error;
use super::seal::corrupt;
use ntro_base::without_byte_order_mark;

/// A file of the age format, in binary or as text (`age --armor`).
#[derive(PartialEq, Eq)]
pub(super) struct Sealed {
    /// The binary form.
    pub(super) bytes: Vec<u8>,
    pub(super) is_armored: bool,
}

impl Sealed {
    pub(super) fn decode(file: Vec<u8>, path: &Path) -> Result<Self, Error> {
        let text = without_byte_order_mark(&file).trim_ascii_start();
        if !text.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
            return Ok(Self {
                bytes: file,
                is_armored: false,
            });
        }
        let mut bytes = Vec::new();
        ArmoredReader::new(text)
            .read_to_end(&mut bytes)
            .map_err(|_| corrupt(path, "its lines of text were cut off or changed"))?;
        Ok(Self {
            bytes,
            is_armored: true,
        })
    }

    /// Returns the contents of the file.
    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        let format = match self.is_armored {
            true => Format::AsciiArmor,
            false => Format::Binary,
        };
        let mut writer = ArmoredWriter::wrap_output(Vec::new(), format)?;
        writer.write_all(&self.bytes)?;
        writer.finish()
    }
}
