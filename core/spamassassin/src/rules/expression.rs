//! Arithmetic over names, as `meta` rules and `if` lines write it.

/// An expression over atoms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression<A> {
    Number(f64),
    Atom(A),
    Not(Box<Expression<A>>),
    Minus(Box<Expression<A>>),
    /// Operators of one rank, from left to right.
    Chain(Box<Expression<A>>, Vec<(Operator, Expression<A>)>),
}

/// What an `if` line or a `meta` rule may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    Name(String),
    /// Function and argument, `can(Mail::SpamAssassin::Conf::feature)`.
    Call(String, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    Unequal,
    Less,
    Greater,
    AtMost,
    AtLeast,
    Plus,
    Minus,
    Times,
    Over,
}

use Operator::{
    And, AtLeast, AtMost, BitAnd, BitOr, BitXor, Equal, Greater, Less, Minus, Or, Over, Plus, Times, Unequal,
};

/// Operators by rank, the weakest first; as in Perl.
const RANKS: &[&[(&str, Operator)]] = &[
    &[("||", Or)],
    &[("&&", And)],
    &[("|", BitOr), ("^", BitXor)],
    &[("&", BitAnd)],
    &[("==", Equal), ("!=", Unequal)],
    &[("<=", AtMost), (">=", AtLeast), ("<", Less), (">", Greater)],
    &[("+", Plus), ("-", Minus)],
    &[("*", Times), ("/", Over)],
];

/// Deepest nesting of brackets and signs. Unit: levels. Source: our own limit.
const DEPTH: usize = 100;

impl<A> Expression<A> {
    /// The value; a comparison gives 1 or 0, `||` its first value that is not 0, as in Perl.
    pub(crate) fn value(&self, atom: &mut impl FnMut(&A) -> f64) -> f64 {
        match self {
            Expression::Number(number) => *number,
            Expression::Atom(name) => atom(name),
            Expression::Not(inner) => f64::from(inner.value(atom) == 0.0),
            Expression::Minus(inner) => -inner.value(atom),
            Expression::Chain(first, rest) => {
                let mut value = first.value(atom);
                for (operator, next) in rest {
                    match operator {
                        Or if value != 0.0 => {}
                        And if value == 0.0 => {}
                        _ => value = operator.apply(value, next.value(atom)),
                    }
                }
                value
            }
        }
    }

    /// Visits every atom.
    pub(crate) fn atoms(&self, visit: &mut impl FnMut(&A)) {
        match self {
            Expression::Number(_) => {}
            Expression::Atom(name) => visit(name),
            Expression::Not(inner) | Expression::Minus(inner) => inner.atoms(visit),
            Expression::Chain(first, rest) => {
                first.atoms(visit);
                rest.iter().for_each(|(_, next)| next.atoms(visit));
            }
        }
    }

    /// The expression over other atoms.
    pub(crate) fn map<B>(self, atom: &mut impl FnMut(A) -> Expression<B>) -> Expression<B> {
        match self {
            Expression::Number(number) => Expression::Number(number),
            Expression::Atom(name) => atom(name),
            Expression::Not(inner) => Expression::Not(Box::new(inner.map(atom))),
            Expression::Minus(inner) => Expression::Minus(Box::new(inner.map(atom))),
            Expression::Chain(first, rest) => {
                let first = Box::new(first.map(atom));
                Expression::Chain(first, rest.into_iter().map(|(operator, next)| (operator, next.map(atom))).collect())
            }
        }
    }
}

impl Operator {
    fn apply(self, one: f64, other: f64) -> f64 {
        // Perl's bit operators work on whole numbers.
        let bits = |of: fn(i64, i64) -> i64| of(one as i64, other as i64) as f64;
        match self {
            Or | And => other,
            BitOr => bits(|a, b| a | b),
            BitXor => bits(|a, b| a ^ b),
            BitAnd => bits(|a, b| a & b),
            Equal => f64::from(one == other),
            Unequal => f64::from(one != other),
            Less => f64::from(one < other),
            Greater => f64::from(one > other),
            AtMost => f64::from(one <= other),
            AtLeast => f64::from(one >= other),
            Plus => one + other,
            Minus => one - other,
            Times => one * other,
            // A division by zero ends a rule in Perl: it does not hit.
            Over => {
                if other == 0.0 {
                    0.0
                } else {
                    one / other
                }
            }
        }
    }
}

/// Reads an expression. The error says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Expression<Word>, String> {
    let mut parser = Parser { rest: text.trim() };
    let expression = parser.rank(0, 0)?;
    if parser.rest.is_empty() {
        Ok(expression)
    } else {
        Err(format!("unexpected {:?}", parser.rest.chars().take(20).collect::<String>()))
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn takes(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn operator(&mut self, rank: usize) -> Option<Operator> {
        // `|` is not the beginning of `||`.
        let longer =
            |word: &str, rest: &str| (word == "|" && rest.starts_with("||")) || (word == "&" && rest.starts_with("&&"));
        let (_, operator) = RANKS[rank].iter().find(|(word, _)| !longer(word, self.rest) && self.takes(word))?;
        Some(*operator)
    }

    fn rank(&mut self, rank: usize, depth: usize) -> Result<Expression<Word>, String> {
        if rank == RANKS.len() {
            return self.unary(depth);
        }
        let first = self.rank(rank + 1, depth)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator(rank) {
            rest.push((operator, self.rank(rank + 1, depth)?));
        }
        Ok(if rest.is_empty() { first } else { Expression::Chain(Box::new(first), rest) })
    }

    fn unary(&mut self, depth: usize) -> Result<Expression<Word>, String> {
        if depth >= DEPTH {
            return Err(format!("brackets are nested more than {DEPTH} deep"));
        }
        if !self.rest.starts_with("!=") && self.takes("!") {
            return Ok(Expression::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.takes("-") {
            return Ok(Expression::Minus(Box::new(self.unary(depth + 1)?)));
        }
        if self.takes("+") {
            return self.unary(depth + 1);
        }
        if self.takes("(") {
            // Perl makes nothing of empty brackets.
            if self.takes(")") {
                return Ok(Expression::Number(0.0));
            }
            let inner = self.rank(0, depth + 1)?;
            return if self.takes(")") { Ok(inner) } else { Err("a bracket is not closed".to_owned()) };
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.')))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if word.is_empty() {
            return Err(match self.rest.chars().next() {
                Some(char) => format!("unexpected {char:?}"),
                None => "the expression ends too early".to_owned(),
            });
        }
        if word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return word.parse().map(Expression::Number).map_err(|_| format!("{word:?} is no number"));
        }
        if self.takes("(") {
            let end = self.rest.find(')').ok_or("a bracket is not closed")?;
            let argument = self.rest[..end].trim().to_owned();
            self.rest = self.rest[end + 1..].trim_start();
            return Ok(Expression::Atom(Word::Call(word.to_owned(), argument)));
        }
        Ok(Expression::Atom(Word::Name(word.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> f64 {
        parse(text).expect(text).value(&mut |word| match word {
            Word::Name(name) if name == "A" => 1.0,
            Word::Name(name) if name == "B" => 3.0,
            Word::Call(function, argument) => f64::from(function == "can" && argument == "X::y"),
            Word::Name(_) => 0.0,
        })
    }

    #[test]
    fn operators_bind_as_in_perl() {
        for (text, expected) in [
            ("A + B * 2 > 6", 1.0),
            ("!Z && (A || Z)", 1.0),
            ("Z || B", 3.0),
            ("A + B - 1 == 3", 1.0),
            ("!A != 1", 1.0),
            ("(A & Z) | B", 3.0),
            ("-A + 2", 1.0),
            ("A/0", 0.0),
            ("can(X::y) && !can(Z::y)", 1.0),
            ("()", 0.0),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_says_why() {
        for (text, why) in [
            ("A &&", "the expression ends too early"),
            ("(A", "a bracket is not closed"),
            ("A B", "unexpected \"B\""),
            ("A ; B", "unexpected \"; B\""),
        ] {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
        assert!(parse(&"(".repeat(10_000)).is_err());
        assert!(parse(&format!("A{}", "+A".repeat(100_000))).is_ok());
    }
}
