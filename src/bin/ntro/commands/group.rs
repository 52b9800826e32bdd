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

            /// Parses the command that the first word of a line names.
            pub(crate) fn read(
                line: &[std::ffi::OsString],
                reader: &mut $crate::cli::Reader,
            ) -> Option<Self> {
                match line.first()?.to_str()? {
                    $($name $(| $alias)? => reader.arguments(line).map(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use group;
