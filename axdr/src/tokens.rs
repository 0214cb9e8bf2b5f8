//! A value as a flat run of tokens: one pass, no recursion, no memory but a counter.
//!
//! [`Data`] checks an array whole before it hands out the first element, and reads the elements again when they are
//! walked. Tokens come as they are read, so each octet is looked at once; what is wrong further on shows up when it is
//! reached. Nesting is the caller's to follow: `n` values come after `Array(n)` or `Structure(n)`, those inside them
//! included.

use core::iter::FusedIterator;

use crate::{Data, DataKind, DecodeError, DecodeErrorKind, Reader, data};

/// The head of an array or a structure, or a value that is neither.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// An array of so many elements follows.
    Array(usize),
    /// A structure of so many elements follows.
    Structure(usize),
    /// Any other value; a compact-array is one.
    Value(Data<'a>),
}

/// Reads one value as [`Token`]s. After an error there are no more.
///
/// ```
/// use dlms_axdr::{Data, Reader, Token, Tokens};
/// let mut tokens = Tokens::new(Reader::new(&[0x02, 0x01, 0x11, 0x05]));
/// assert_eq!(tokens.next(), Some(Ok(Token::Structure(1))));
/// assert_eq!(tokens.next(), Some(Ok(Token::Value(Data::Unsigned(5)))));
/// assert_eq!(tokens.next(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    reader: Reader<'a>,
    /// How many values are announced and not read. Each takes one octet at least.
    left: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of the next value of `reader`.
    pub const fn new(reader: Reader<'a>) -> Self {
        Self { reader, left: 1 }
    }

    /// Where the next token is read.
    pub const fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    fn token(&mut self) -> Result<Token<'a>, DecodeError> {
        let head = match self.reader.peek() {
            Some(tag) if tag == DataKind::Array.tag() => Token::Array,
            Some(tag) if tag == DataKind::Structure.tag() => Token::Structure,
            _ => return Data::decode(&mut self.reader).map(Token::Value),
        };
        self.reader.u8()?;
        let count = data::count(&mut self.reader)?;
        self.left = self.left.saturating_add(count);
        match self.left.checked_sub(self.reader.remaining()) {
            None | Some(0) => Ok(head(count)),
            Some(missing) => Err(self.reader.error(DecodeErrorKind::truncated(missing))),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Result<Token<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let token = self.token();
        if token.is_err() {
            self.left = 0;
        }
        Some(token)
    }
}

impl FusedIterator for Tokens<'_> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nested() {
        let octets = [1, 2, 2, 2, 17, 1, 1, 0, 0, 0xFF];
        let mut tokens = Tokens::new(Reader::new(&octets));
        let read: Vec<_> = tokens.by_ref().map(Result::unwrap).collect();
        assert_eq!(
            read,
            [
                Token::Array(2),
                Token::Structure(2),
                Token::Value(Data::Unsigned(1)),
                Token::Array(0),
                Token::Value(Data::NullData)
            ]
        );
        assert_eq!(tokens.reader().remaining(), 1, "what follows is left alone");
    }

    #[test]
    fn claims_are_refused_at_once() {
        // Each of both arrays alone would fit.
        let mut tokens = Tokens::new(Reader::new(&[1, 4, 1, 3, 0, 0, 0]));
        assert_eq!(tokens.next(), Some(Ok(Token::Array(4))));
        let error = DecodeError { offset: 4, kind: DecodeErrorKind::Truncated { missing: 3 } };
        assert_eq!(tokens.next(), Some(Err(error)));
        assert_eq!(tokens.next(), None);
        // Nesting costs nothing here, however deep.
        let deep = [1, 1].repeat(100_000);
        assert!(Tokens::new(Reader::new(&deep)).last().unwrap().is_err());
    }
}
