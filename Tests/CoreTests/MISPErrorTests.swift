import Core
import Testing

@Test func errorIsOneLine() {
    #expect(
        MISPError("bad\nvalue", at: "run.yaml: seed", remedy: "give a number").description
            == "run.yaml: seed: bad value; give a number")
}
