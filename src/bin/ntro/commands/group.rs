/// Makes `Command`, a group of commands: what clap is told of each, what runs it, and each by
/// itself.
macro_rules! group {
    ($($name:literal $(| $alias:literal)? $variant:ident($arguments:ty) => $run:path;)+) => {
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

            /// Returns the command of this name without the others, which are all the work.
            pub(crate) fn alone(name: &str) -> Option<clap::Command> {
                let (command, augment): (_, fn(clap::Command) -> clap::Command) = match name {
                    $($name $(| $alias)? => (
                        clap::Command::new($name)$(.visible_alias($alias))?,
                        <$arguments as clap::Args>::augment_args,
                    ),)+
                    _ => return None,
                };
                Some(augment(command))
            }
        }
    };
}

pub(crate) use group;
