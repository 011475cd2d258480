import Testing
import Worker

/// What answers are taken to say. That whole benchmarks agree with their own scorers shows
/// Tests/Goldens/benchmark_scorers.py.
@Suite struct AnswerReadingTests {
    @Test(arguments: [
        ("No.", AnswerReading.Verdict.no), ("Yes, there is no doubt", .no), ("There is not. Yes", .no),
        ("Yes. No.", .yes), ("Nothing", .yes), ("no, never", .no), ("NO", .yes), ("", .yes),
    ])
    func pope(answer: String, verdict: AnswerReading.Verdict) { #expect(AnswerReading.pope(answer) == verdict) }

    @Test(arguments: [
        ("Yes, no doubt", AnswerReading.Verdict.yes), ("NO!", .no), ("I think yes", .yes), ("It is not", .unclear),
        ("Is it yes or no?", .unclear), ("", .unclear), ("Nobody, yesterday", .unclear),
    ])
    func yesNo(answer: String, verdict: AnswerReading.Verdict) { #expect(AnswerReading.yesNo(answer) == verdict) }

    @Test(
        arguments: [
            ("(a)", "a"), ("The answer is (B).", "b"), ("A", "a"), ("b) Closed", "b"), ("It is wide open.", "a"),
            ("It is closed", "b"), ("(a) or (b)", nil), ("An apple", nil), ("", nil), ("Closed, or wide open", nil),
        ] as [(String, String?)])
    func option(answer: String, letter: String?) {
        #expect(AnswerReading.option(answer, among: [("a", "wide open"), ("b", "Closed")]) == letter)
    }

    @Test(arguments: [
        ("Two dogs, a puppy and a baby bird.", ["dog", "dog", "bird"]),
        ("A WINE GLASS on the table", ["wine glass", "dining table"]), ("The seat of the toilet", ["toilet"]),
        ("The seat of a car", ["chair", "car"]), ("a hot dog", ["hot dog"]),
        ("the dog's tables;cats", ["dog", "dining table", "cat"]),
        ("men and women", ["person", "person"]), ("a bus", []),
    ])
    func captions(caption: String, objects: [String]) {
        let words = CaptionWords(
            synonyms: """
                person, man, woman
                dog, puppy
                cat
                bird
                car
                bus
                wine glass
                dining table, table
                toilet
                chair, seat
                hot dog
                """)
        #expect(words.objects(in: caption) == objects)
    }
}
