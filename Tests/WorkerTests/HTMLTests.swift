import Foundation
import Testing

import Worker

/// A browser reads scalars: no combining mark hides a quote or a bracket from the escaper.
private let escapes: [(String, String)] = [
    ("a\"\u{301} onload=x", "a&quot;\u{301} onload=x"), ("<\u{338}script>", "&lt;\u{338}script&gt;"),
    ("'\u{20DD}", "&#39;\u{20DD}"), ("&\u{301}lt;", "&amp;\u{301}lt;"),
    ("\u{0}\u{1B}[0m\u{85}", "\u{FFFD}\u{FFFD}[0m\u{FFFD}"),
    ("Ä 猫\té", "Ä 猫\té"),
]

@Test(arguments: escapes)
func pagesEscapeScalarByScalar(text: String, page: String) {
    #expect(HTML.escaped(text).unicodeScalars.elementsEqual(page.unicodeScalars))
}
