import Core
import Foundation

/// What models in training said about a few pictures, before and after, one run's or several runs' side by side.
struct ReportAnswers {
    private static let side = 224

    let runs: [RunRecord]

    var html: String {
        let subjects = runs.first { !$0.answers.isEmpty }.map(subjects) ?? []
        guard !subjects.isEmpty else { return "" }
        return """
            <section><h2 class="part">What it says</h2>
            <p class="note">Of the first pictures of the \
            \(runs.contains { $0.hasHeldOutGroups } ? "held-out groups" : "training groups"). Always the \
            most probable token is taken.</p>
            \(subjects.map(article).joined(separator: "\n"))</section>
            """
    }

    /// The questions of a run, each once.
    private func subjects(_ run: RunRecord) -> [RunRecord.Answer] {
        let first = run.answers[0].step
        return run.answers.filter { $0.step == first }
    }

    private func article(_ subject: RunRecord.Answer) -> String {
        let answers = lines(subject).map { name, answer in
            "<li><b>\(HTML.escaped(name))</b> <span>\(Self.text(answer))</span></li>"
        }
        return """
            <article>\(picture(subject))<div><code>\(HTML.escaped(subject.id))</code>\
            <h3>\(HTML.escaped(subject.prompt))</h3><p class="truth">chosen: \(HTML.escaped(subject.chosen))</p>\
            <ul class="answers">\(answers.joined())</ul></div></article>
            """
    }

    /// Before training, once where all runs began alike; then each run's.
    private func lines(_ subject: RunRecord.Answer) -> [(name: String, answer: RunRecord.Answer)] {
        let own = runs.map { run in run.answers.filter { $0.isAbout(subject) }.sorted { $0.step < $1.step } }
        if runs.count == 1 { return own[0].map { ($0.time, $0) } }
        let before = own.compactMap(\.first).filter { $0.step == 0 }
        let isShared = before.count == runs.count && Set(before.map(\.text)).count == 1
        let each = zip(runs, own).flatMap { run, answers in
            answers.filter { !isShared || $0.step > 0 }.map { ("\(run.name), \($0.time)", $0) }
        }
        return (isShared ? [(before[0].time, before[0])] : []) + each
    }

    private static func text(_ answer: RunRecord.Answer) -> String {
        answer.text.isEmpty && !answer.isCut
            ? "<i>no answer</i>" : HTML.escaped(answer.text) + (answer.isCut ? " …" : "")
    }

    private func picture(_ subject: RunRecord.Answer) -> String {
        let url = URL(filePath: subject.image)
        let transparency = runs.first?.settings["data.transparency"].flatMap(Transparency.init) ?? .white
        guard let picture = try? Thumbnail(contentsOf: url, transparency: transparency, side: Self.side) else {
            return "<div class=\"none\">\(HTML.escaped(url.lastPathComponent))<br>cannot be read</div>"
        }
        return picture.html
    }
}

extension RunRecord.Answer {
    fileprivate var time: String {
        step == 0 ? "before training" : "after \(step == 1 ? "1 step" : "\(step) steps")"
    }

    fileprivate func isAbout(_ other: Self) -> Bool { id == other.id && prompt == other.prompt && image == other.image }
}
