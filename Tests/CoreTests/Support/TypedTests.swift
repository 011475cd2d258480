import Core
import Testing

/// Commands in messages are those that can be typed where the program was started.
@Suite struct TypedTests {
    @Test(arguments: [
        ("misp-worker", "misp-worker", "misp-"),
        ("/usr/local/bin/misp-worker", "/usr/local/bin/misp-worker", "/usr/local/bin/misp-"),
        (".build/release/misp-worker", ".build/release/misp-worker", "launch/"),
        ("/opt/misp/.build/debug/misp-worker", "/opt/misp/.build/debug/misp-worker", "/opt/misp/launch/"),
        ("/my own/bin/misp-worker", "'/my own/bin/misp-worker'", "'/my own/bin/misp-'"),
        ("/it's/misp-worker", #"'/it'\''s/misp-worker'"#, #"'/it'\''s/misp-'"#),
    ])
    func asTheProgramWasStarted(as first: String, program: String, launchers: String) {
        let names = Typed.names(startedAs: first, environment: [:])
        #expect(names.program == program)
        #expect(names.launchers == launchers)
    }

    @Test func asALaunchScriptSays() {
        let names = Typed.names(
            startedAs: "/opt/misp/.build/release/misp-worker",
            environment: ["MISP_COMMAND": "launch/local -n 2 --", "MISP_LAUNCH": "launch/"])
        #expect(names.program == "launch/local -n 2 --")
        #expect(names.launchers == "launch/")
    }
}
