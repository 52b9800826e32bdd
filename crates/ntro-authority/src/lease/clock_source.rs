/// The clock source that the kernel uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClockSource(String);

impl ClockSource {
    /// Returns the clock source of this machine, if the kernel names it.
    pub(crate) fn read() -> Option<Self> {
        if cfg!(not(target_os = "linux")) {
            return None;
        }
        const FILE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        Self::parse(&std::fs::read_to_string(FILE).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        (!name.is_empty()).then(|| Self(name.to_owned()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Returns whether every clock of this machine stands still while its hypervisor pauses or
    /// migrates it. Its leases then last too long.
    pub(crate) fn stops_with_the_guest(&self) -> bool {
        self.0 == "kvm-clock"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_source_is_named() {
        let source = |text| ClockSource::parse(text).unwrap();
        assert_eq!(source("tsc\n").name(), "tsc");
        assert!(!source("tsc\n").stops_with_the_guest());
        assert!(source("kvm-clock\n").stops_with_the_guest());
        assert_eq!(ClockSource::parse("\n"), None);
    }
}
