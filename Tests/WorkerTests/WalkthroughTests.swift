import Foundation
import TestSupport
import Testing

/// The commands of docs/getting-started.md, in their short form.
@Suite(.serialized, .enabled(if: isReleaseBuilt, "no release build")) struct WalkthroughTests {
    @Test func thePagesCommandsRun() throws {
        let run = try runScript("launch/walkthrough", ["--short"])
        #expect(run.status == 0, "\(run.errors)")
        for file in ["runs/sft", "runs/mine", "runs/mined"] {
            #expect(run.errors.contains("checkout/examples/easy-vqa/\(file)\n"), "\(file): \(run.errors)")
        }
        #expect(run.output.contains("B − A") && run.errors.contains("exported "), "\(run.output)\(run.errors)")
    }

    /// The first command that fails ends it, whatever its language; marked blocks and other languages are left out.
    @Test func aPageThatFails() throws {
        let folder = try TemporaryFolder()
        func walk(_ page: String) throws -> ScriptRun {
            try Data(page.utf8).write(to: folder["page.md"])
            return try runScript("launch/walkthrough", ["--short", folder["page.md"].path])
        }
        let blocks = """
            <!-- not in the short form -->
            ```sh
            echo marked
            ```
            ```yaml
            echo: yaml
            ```
            ```sh
            echo it\\
              "'s" run
            """
        let whole = try walk(blocks + "\n```\n")
        #expect(whole.status == 0 && whole.output.contains("it 's run"), "\(whole.output)\(whole.errors)")
        #expect(!whole.output.contains("marked") && !whole.output.contains("yaml"), "\(whole.output)")
        let failing = try walk(blocks + "\nlaunch/local -n 1 -- train --config none.yaml\necho after\n```\n")
        #expect(failing.status == 2 && failing.errors.contains("none.yaml"), "\(failing.errors)")
        #expect(!failing.output.contains("after"))
    }
}
