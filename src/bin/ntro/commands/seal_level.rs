use clap::builder::{PossibleValuesParser, TypedValueParser};
use ntro_client::exec::seal::SealLevel;

/// Returns a parser of the levels of a seal.
pub(crate) fn seal_levels() -> impl TypedValueParser<Value = SealLevel> {
    PossibleValuesParser::new(SealLevel::ALL.map(SealLevel::name)).try_map(|level| level.parse())
}
