"""Reads of a PromQL expression what a page must have for it: metric names, and the label keys each of them needs.

Enough of the grammar for dashboards and rules: selectors, functions, aggregations, vector matching, label_values()."""
import re

TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<duration>\[[^\]]*\])|(?P<variable>\$\w+|\$\{[^}]*\}|\[\[\w+\]\])
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[smhdwy]*)|(?P<name>[a-zA-Z_:][\w:]*)
    |(?P<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){},@])""", re.X)
AGGREGATIONS = {"sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk", "quantile", "group", "count_values"}
LABEL_LISTS = {"by", "on", "without", "ignoring", "group_left", "group_right"}
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end"}


class Malformed(Exception):
    pass


def tokens_of(expression):
    tokens, at = [], 0
    while at < len(expression):
        match = TOKEN.match(expression, at)
        if not match:
            raise Malformed(f"at {expression[at:at + 20]!r}")
        at = match.end()
        if match.lastgroup:
            tokens.append((match.lastgroup, match.group()))
    return tokens


class Reader:
    """Walks the tokens once. Every group in parentheses gives the names used in it; by() and on() lists need to be on
    all of them, selectors on their own one."""

    def __init__(self, expression):
        self.tokens, self.at, self.needs = tokens_of(expression), 0, {}

    def peek(self, ahead=0):
        place = self.at + ahead
        return self.tokens[place][1] if place < len(self.tokens) else None

    def take(self):
        token = self.tokens[self.at]
        self.at += 1
        return token

    def names_until(self, end):
        """The metrics up to the closing sign, which is taken; None reads to the end of the text."""
        names = set()
        while self.at < len(self.tokens):
            kind, text = self.take()
            if text == end:
                return names
            if text == "(":
                names |= self.group([])
            elif kind == "name" and text not in KEYWORDS:
                names |= self.word(text, names)
        if end:
            raise Malformed(f"no {end}")
        return names

    def word(self, text, before):
        if text in LABEL_LISTS:
            labels = self.labels()
            if text == "on":
                following = self.operand()
                self.require(before | following, labels)
                return following
            if text == "by":
                self.require(before, labels)
            return set()
        if text in AGGREGATIONS and self.peek() in ("by", "without"):
            kind, labels = self.take()[1], self.labels()
            self.expect("(")
            return self.group(labels if kind == "by" else [])
        if self.peek() == "(":
            self.take()
            if text == "label_values":
                return self.label_values()
            names = self.names_until(")")
            if text in AGGREGATIONS and self.peek() in ("by", "without"):
                kind, labels = self.take()[1], self.labels()
                self.require(names, labels if kind == "by" else [])
            return names
        self.needs.setdefault(text, set())
        if self.peek() == "{":
            self.require({text}, self.matchers())
        return {text}

    def operand(self):
        """What stands on the right of on(): a selector, a call or a group."""
        while self.peek() in ("group_left", "group_right"):
            self.take()
            if self.peek() == "(":
                self.labels()
        if self.at == len(self.tokens):
            return set()
        kind, text = self.take()
        return self.group([]) if text == "(" else self.word(text, set()) if kind == "name" else set()

    def group(self, labels):
        names = self.names_until(")")
        self.require(names, labels)
        return names

    def label_values(self):
        names = set()
        if self.peek(1) != ")":  # label_values(label) alone is of every metric
            names |= self.word(self.take()[1], set())
            self.expect(",")
        label = self.take()[1]
        self.expect(")")
        self.require(names, [label])
        return names

    def labels(self):
        self.expect("(")
        labels = []
        while self.peek() != ")":
            kind, text = self.take()
            if kind == "name":
                labels.append(text)
        self.take()
        return labels

    def matchers(self):
        self.expect("{")
        labels = []
        while self.peek() != "}":
            kind, text = self.take()
            if kind == "name" and self.peek() in ("=", "!=", "=~", "!~"):
                labels.append(text)
        self.take()
        return labels

    def expect(self, sign):
        if self.at == len(self.tokens) or self.take()[1] != sign:
            raise Malformed(f"expected {sign}")

    def require(self, names, labels):
        for name in names:
            self.needs[name].update(labels)


def needs(expression):
    """{metric: {label key, …}}; raises Malformed."""
    reader = Reader(expression)
    reader.names_until(None)
    return reader.needs
