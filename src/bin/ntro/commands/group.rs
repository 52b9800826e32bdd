use clap::ArgMatches;

/// Defines `Command`, the enum of a group's commands. Each line has a command's name, its alias, its
/// arguments, the function that runs it and the types that it prints as JSON.
macro_rules! group {
    ($(
        $name:literal $(| $alias:literal)? $variant:ident($arguments:ty) => $run:path,
        prints $($output:ty)|+;
    )+) => {
        #[derive(clap::Subcommand, Debug)]
        #[command(defer = true)]
        pub(crate) enum Command {
            $(#[command(name = $name $(, visible_alias = $alias)?)] $variant($arguments),)+
        }

        impl Command {
            pub(crate) fn run(
                self,
                cx: &$crate::context::Context,
            ) -> Result<$crate::exit::Exit, $crate::error::CliError> {
                match self {
                    $(Self::$variant(arguments) => $run(arguments, cx),)+
                }
            }

            /// Returns the schemas of what each command prints as JSON.
            #[cfg(test)]
            pub(crate) fn outputs() -> Vec<$crate::schema::CommandOutput> {
                vec![$($crate::schema::CommandOutput::new(
                    $name,
                    $crate::schema::schemas![$($output),+],
                ),)+]
            }

            /// Returns the command of this name by itself.
            pub(crate) fn alone(name: &str) -> Option<$crate::commands::group::Alone<Self>> {
                use clap::{Args as _, FromArgMatches as _};

                match name {
                    $($name $(| $alias)? => Some($crate::commands::group::Alone {
                        arguments: <$arguments>::augment_args,
                        taken: |matches| {
                            <$arguments>::from_arg_matches_mut(matches).map(Self::$variant)
                        },
                    }),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use group;

/// One command of a group `C`: making its siblings as well would be most of the work.
pub(crate) struct Alone<C> {
    /// Gives a command of clap's the arguments of this one.
    pub(crate) arguments: fn(clap::Command) -> clap::Command,
    /// Takes them out of what was parsed.
    pub(crate) taken: fn(&mut ArgMatches) -> Result<C, clap::Error>,
}
