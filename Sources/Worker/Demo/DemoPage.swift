import Core
import Foundation

/// index.html of the demonstration: the table, what led to it, and pictures with what each model says of them. One
/// file that needs nothing else.
package struct DemoPage {
    private let table: DemoTable
    private let data: DemoData
    private let seed: UInt64
    /// HTML of what led to the table.
    private let story: String
    /// Questions on the page.
    private static let shown = 24

    package init(_ table: DemoTable, _ data: DemoData, seed: UInt64, story: String) {
        (self.table, self.data, self.seed, self.story) = (table, data, seed, story)
    }

    func write(to url: URL) throws { try FileOutput.write(try html, to: url) }

    package var html: String {
        get throws {
            let title = "MISP-DPO, the demonstration"
            let cards = try chosen.map(card).joined(separator: "\n")
            let body = """
                <style>\(Self.style)</style>
                <header><h1>\(title)</h1></header>
                <p>A small model was warmed up on labels of a careless annotator, who now and then writes down the \
                usual colour of a shape in place of the one to be seen. Then it was trained further in \
                \(DemoArm.all.count) ways, each of which differs from the one before it in one thing. All models were \
                asked \(data.questions.count) questions about scenes that no training saw (seed \(seed)).</p>
                <section class="wide"><table>\(rows)</table></section>
                <ul>\(table.comparisons.map { "<li>\(HTML.escaped($0.sentence))</li>" }.joined())</ul>
                <p class="note">Standard errors of McNemar’s test, plus where the first makes fewer mistakes; within \
                ±2, chance alone may do that. CLIP was trained in \(Self.seconds(table.minedIn.clip)), negatives were \
                mined in \(Self.seconds(table.minedIn.mining)).</p>
                <p><a href="results.json">All numbers</a></p>
                \(story)
                <h2 class="part">What they say</h2>
                <p class="note">The first \(chosen.count) questions on which the models differ. \
                <b class="right">Right</b>, <b class="wrong">wrong</b>.</p>
                <section class="cards">\(cards)</section>
                """
            return PageStyle.page(title, body)
        }
    }

    private static func seconds(_ value: Double) -> String { String(format: "%.1f s", value) }

    private var rows: String {
        func row(_ title: String, _ tag: String = "td", _ value: (DemoTable.Column) -> String) -> String {
            "<tr><th>\(HTML.escaped(title))</th>"
                + table.columns.map { "<\(tag)>\(HTML.escaped(value($0)))</\(tag)>" }.joined() + "</tr>"
        }
        func counts(_ title: String, _ value: @escaping (DemoMistakes) -> (wrong: Int, asked: Int)) -> String {
            let asked = table.columns.first.map { value($0.mistakes).asked } ?? 0
            return row("\(title), of \(asked)") { "\(value($0.mistakes).wrong)" }
        }
        return "<thead>\(row("", "th") { $0.name })</thead><tbody>"
            + row("accuracy, yes or no") { String(format: "%.3f", $0.mistakes.accuracy.value) }
            + row("± standard error") { String(format: "%.3f", $0.mistakes.accuracy.error) }
            + counts("false yes") { $0.falseYes } + counts("missed") { $0.missed }
            + counts("wrong captions") { $0.captions } + counts("mistakes") { ($0.total, $0.answers.count) }
            + row("seconds of training") { String(format: "%.1f", $0.seconds) } + "</tbody>"
    }

    /// Those on which the models differ come first in the questions' order, as many of each kind as there are kinds
    /// for.
    private var chosen: [Int] {
        let differing = data.questions.indices.filter { question in
            Set(table.columns.map { $0.mistakes.answers[question] }).count > 1
        }
        let captions = differing.filter { data.questions[$0].kind == .caption }.prefix(Self.shown / 2)
        let others = differing.filter { data.questions[$0].kind != .caption }.prefix(Self.shown - captions.count)
        return Array(captions) + Array(others)
    }

    private func card(_ index: Int) throws -> String {
        let question = data.questions[index]
        let picture = try question.scene.picture(strokes: question.strokes).pngData().base64EncodedString()
        let answers = table.columns.map { column in
            let answer = column.mistakes.answers[index]
            return "<tr><th>\(HTML.escaped(column.name))</th>"
                + "<td class=\"\(answer == 0 ? "right" : "wrong")\">\(Self.marked(question, answer))</td></tr>"
        }
        return """
            <figure><img src="data:image/png;base64,\(picture)" alt="\(HTML.escaped(question.scene.caption))">\
            <div><h2>\(HTML.escaped(question.prompt))</h2>\
            <table><tbody>\(answers.joined())</tbody></table></div></figure>
            """
    }

    /// The words of a false answer that the true one does not have at their place are marked.
    private static func marked(_ question: DemoQuestion, _ answer: Int) -> String {
        let truth = question.answers[0].split(separator: " ")
        let words = question.answers[answer].split(separator: " ").enumerated().map { place, word in
            let isFalse = place >= truth.count || truth[place] != word
            return isFalse ? "<mark>\(HTML.escaped(String(word)))</mark>" : HTML.escaped(String(word))
        }
        return words.joined(separator: " ")
    }

    private static let style = """
        \(DemoStory.style)
        .cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(520px,100%),1fr));gap:16px;margin:12px 0}
        .cards figure{display:grid;grid-template-columns:96px minmax(0,1fr);gap:14px;align-items:start}
        .cards img{width:96px;height:96px;border-radius:6px;image-rendering:pixelated}
        .cards table{width:100%;margin:0}.cards td{text-align:left;padding-left:12px}
        .cards th{white-space:nowrap}
        @media(max-width:600px){.wide th,.wide td{padding-left:10px;font-size:13px}.wide tbody th{padding-left:0}}
        .right{color:var(--s2)}.wrong{color:var(--s1)}
        mark{background:none;color:inherit;text-decoration:underline;text-underline-offset:3px;font-weight:600}
        a{color:var(--s0)}h2{overflow-wrap:anywhere}
        @media print{figure{break-inside:avoid}}
        """
}
