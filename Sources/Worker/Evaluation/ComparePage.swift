import Core
import Foundation

/// compare.html: pictures, questions and the answers of several evaluations side by side, right and hallucinated words
/// marked (the paper's figure 5). One file that needs nothing else.
package struct ComparePage {
    private static let side = 224

    /// By evaluation.
    let names: [String]
    let benchmarks: [AnswerComparison]
    /// Tables of measures: rows of cells, the first row names the columns.
    let tables: [[[String]]]
    /// Questions of a benchmark that are shown at the most.
    let limit: Int

    package init(names: [String], benchmarks: [AnswerComparison], tables: [[[String]]] = [], limit: Int) {
        (self.names, self.benchmarks, self.tables, self.limit) = (names, benchmarks, tables, limit)
    }

    /// Last components of the folders' paths, or the paths where those are not all different.
    static func names(_ folders: [EvaluationFolder]) -> [String] {
        let last = folders.map(\.url.lastPathComponent)
        return Set(last).count == last.count ? last : folders.map(\.url.relativePath)
    }

    /// - Returns: how many pictures could not be read
    package func write(to url: URL) throws -> Int {
        var missing: Set<String> = []
        let sections = benchmarks.map { section($0, &missing) }
        let body = ["<header><h1>Answers side by side</h1>\(legend)</header>", measures] + sections
        try FileOutput.write(
            PageStyle.page("Answers of \(names.joined(separator: ", "))", body.joined(separator: "\n"), compareStyle),
            to: url)
        return missing.count
    }

    private var legend: String {
        let runs = names.enumerated().map { index, name in "<li>\(chip(index)) \(HTML.escaped(name))</li>" }
        return """
            <ul class="runs">\(runs.joined())</ul>
            <p class="note"><mark class="right">right</mark> and <mark class="wrong">hallucinated or wrong</mark> \
            words, by the benchmark’s own truth. <b class="v right">✓</b> right, <b class="v wrong">✗</b> wrong, \
            <b class="v unclear">?</b> unclear. Questions in which the runs differ come first.</p>
            """
    }

    private func chip(_ index: Int) -> String {
        "<b class=\"chip s\(index % 6)\">\(EvaluationComparisons.letter(index))</b>"
    }

    private var measures: String {
        tables.filter { $0.count > 1 }.map { table in
            let head = table[0].map { "<th>\(HTML.escaped($0))</th>" }
            let body = table.dropFirst().map { row in
                "<tr>"
                    + row.enumerated().map { index, cell in
                        index < 2 ? "<th>\(HTML.escaped(cell))</th>" : "<td>\(HTML.escaped(cell))</td>"
                    }.joined() + "</tr>"
            }
            return """
                <section class="wide"><table class="measures"><thead><tr>\(head.joined())</tr></thead>\
                <tbody>\(body.joined())</tbody></table></section>
                """
        }.joined(separator: "\n")
    }

    private func section(_ benchmark: AnswerComparison, _ missing: inout Set<String>) -> String {
        let shown = benchmark.rows.prefix(limit)
        let (verdicts, words) = (benchmark.count(.verdicts), benchmark.count(.words))
        let articles = shown.map { article($0, &missing) }
        return """
            <section><h2 class="part">\(HTML.escaped(benchmark.name))</h2>
            <p>\(benchmark.rows.count) questions. In <b>\(verdicts)</b> some runs are right and others are not; in \
            <b>\(words)</b> more they say other things that count. \(shown.count < benchmark.rows.count
                ? "Here are the first \(shown.count)." : "")</p>
            \(counts(benchmark))
            \(articles.joined(separator: "\n"))</section>
            """
    }

    private func counts(_ benchmark: AnswerComparison) -> String {
        let columns: [(String, (AnswerComparison.Count) -> Int)] = [
            ("right", \.right), ("wrong", \.wrong), ("unclear", \.unclear), ("right alone", \.alone),
            ("alone not right", \.aloneNot), ("right words", \.rightWords),
            ("hallucinated or wrong words", \.wrongWords),
        ]
        // With two runs the one is right alone where the other alone is not.
        let told = columns.filter { column in
            benchmark.counts.contains { column.1($0) > 0 } && (column.0 != "alone not right" || names.count > 2)
        }
        guard !told.isEmpty else { return "" }
        let head = told.map { "<th>\($0.0)</th>" }.joined()
        let body = benchmark.counts.enumerated().map { index, count in
            "<tr><th>\(chip(index)) \(HTML.escaped(names[index]))</th>"
                + told.map { "<td>\($0.1(count))</td>" }.joined() + "</tr>"
        }
        return """
            <div class="wide"><table><thead><tr><th></th>\(head)</tr></thead><tbody>\(body.joined())</tbody>\
            </table></div>
            """
    }

    private func article(_ row: AnswerComparison.Row, _ missing: inout Set<String>) -> String {
        let answers = row.answers.enumerated().map { index, answer in
            "<li>\(chip(index)) \(Self.verdict(answer.verdict)) <span>\(Self.text(answer))</span></li>"
        }
        let truth = row.truth.map { "<p class=\"truth\">truth: \(HTML.escaped($0.isEmpty ? "–" : $0))</p>" } ?? ""
        let differs = row.difference == .none ? "" : " class=\"differs\""
        return """
            <article\(differs)>\(picture(row, &missing))<div><code>\(HTML.escaped(row.id))</code>\
            <h3>\(HTML.escaped(row.question))</h3>\(truth)<ul class="answers">\(answers.joined())</ul></div></article>
            """
    }

    private static func verdict(_ verdict: MarkedAnswer.Verdict?) -> String {
        switch verdict {
        case .right: "<b class=\"v right\" title=\"right\">✓</b>"
        case .wrong: "<b class=\"v wrong\" title=\"wrong\">✗</b>"
        case .unclear: "<b class=\"v unclear\" title=\"unclear\">?</b>"
        case nil: "<b class=\"v\"></b>"
        }
    }

    private static func text(_ answer: MarkedAnswer) -> String {
        guard !answer.pieces.isEmpty else { return "<i>no answer</i>" }
        return answer.pieces.map { piece in
            let text = HTML.escaped(piece.text)
            return piece.isRight.map { "<mark class=\"\($0 ? "right" : "wrong")\">\(text)</mark>" } ?? text
        }.joined()
    }

    private func picture(_ row: AnswerComparison.Row, _ missing: inout Set<String>) -> String {
        guard let path = row.image else { return "<div class=\"none\">no picture</div>" }
        let url = URL(filePath: path)
        let name = HTML.escaped(url.lastPathComponent)
        guard let picture = try? Thumbnail(contentsOf: url, side: Self.side) else {
            missing.insert(path)
            return "<div class=\"none\">\(name)<br>cannot be read</div>"
        }
        return picture.html
    }
}

private let compareStyle = """
    \(PageStyle.articles)
    :root{--right:#1d7a3a;--wrong:#b3261e}
    @media(prefers-color-scheme:dark){:root{--right:#7fd190;--wrong:#ff8f85}}
    ul{list-style:none;margin:0;padding:0}
    .runs{display:flex;flex-wrap:wrap;gap:4px 20px;margin-bottom:8px}
    .runs li{overflow-wrap:anywhere}
    thead th:first-child{padding-left:0}td{white-space:nowrap}
    .measures th{text-align:left}.measures thead th:nth-child(n+3){text-align:right}
    article.differs{border-left:4px solid var(--s1)}
    .answers li{grid-template-columns:auto 1.2em minmax(0,1fr)}
    .answers li>b.chip{color:var(--ink)}
    .chip{display:inline-block;min-width:20px;padding:0 5px;border-radius:10px;text-align:center;font-size:12px;\
    line-height:20px;height:20px;border:1px solid currentColor}
    .answers li>b.v{font-weight:700}
    .v.right,.answers li>b.v.right{color:var(--right)}.v.wrong,.answers li>b.v.wrong{color:var(--wrong)}
    mark{color:inherit;border-radius:3px;padding:0 2px}
    mark.right{background:color-mix(in srgb,var(--right) 22%,transparent);border-bottom:2px solid var(--right)}
    mark.wrong{background:color-mix(in srgb,var(--wrong) 22%,transparent);border-bottom:2px dashed var(--wrong)}
    @media(max-width:560px){main{padding:16px 12px 48px}.answers li{grid-template-columns:auto 1.2em minmax(0,1fr);\
    gap:8px}}
    """
