//! What goes over the line, layer by layer.

/// Sees every frame and every APDU as it passes. Ciphered APDUs are seen ciphered: what opens them is not shown.
pub trait Trace: Send {
    /// Octets that were sent or received.
    fn octets(&mut self, layer: Layer, direction: Direction, octets: &[u8]);
}

impl<F: FnMut(Layer, Direction, &[u8]) + Send> Trace for F {
    fn octets(&mut self, layer: Layer, direction: Direction, octets: &[u8]) {
        self(layer, direction, octets);
    }
}

/// Where octets were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// HDLC frames, flags included.
    Hdlc,
    /// WPDUs: header and APDU.
    Wrapper,
    /// APDUs, ciphered if they are.
    Apdu,
}

/// Which way octets went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From this side.
    Sent,
    /// To this side.
    Received,
}

/// A trace that may be there.
#[derive(Default)]
pub(crate) struct Tracer(Option<Box<dyn Trace>>);

impl Tracer {
    pub(crate) fn set(&mut self, trace: Box<dyn Trace>) {
        self.0 = Some(trace);
    }

    pub(crate) const fn is_active(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn octets(&mut self, layer: Layer, direction: Direction, octets: &[u8]) {
        if let Some(trace) = &mut self.0 {
            trace.octets(layer, direction, octets);
        }
    }
}
