import Foundation
import TestSupport
import Testing

/// launch/slurm.sbatch under a Slurm of words: `scontrol show` says what the test says, `srun` notes what it is given
/// and ends as the test says.
@Suite(.enabled(if: isReleaseBuilt, "no release build")) struct SlurmTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ text: String, to name: String) throws {
        try FileManager.default.createDirectory(
            at: folder[name].deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: folder[name])
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder[name].path)
    }

    /// Runs a copy of the script as Slurm does, for job 1.
    ///
    /// - Parameters:
    ///   - status: what the ranks end with
    ///   - requeue: what `scontrol requeue` does
    private func job(
        _ show: String, status: Int = 0, requeue: String = "true", arguments: [String] = ["train", "--config", "x"],
        environment: [String: String] = [:]
    ) throws -> ScriptRun {
        try write(show, to: "show")
        try write("#!/bin/bash\nprintf '<%s>' \"$@\" >>srun.log\necho >>srun.log\nexit \(status)\n", to: "bin/srun")
        try write(
            "#!/bin/bash\ncase $1 in show) cat show;; requeue) echo \"$2\" >>requeued; \(requeue);; esac\n",
            to: "bin/scontrol")
        // Slurm ends a job that is put back; here its wait does.
        try write("#!/bin/bash\n[[ $1 != 60 ]] || exit 0\nexec /bin/sleep \"$@\"\n", to: "bin/sleep")
        let script = folder["spool/slurm_script"]
        try FileManager.default.createDirectory(
            at: script.deletingLastPathComponent(), withIntermediateDirectories: true)
        try? FileManager.default.removeItem(at: script)
        try FileManager.default.copyItem(at: repository.appending(path: "launch/slurm.sbatch"), to: script)
        try? FileManager.default.removeItem(at: folder["srun.log"])
        let given = arguments.map { "'\($0)'" }.joined(separator: " ")
        return try runBash(
            "bash spool/slurm_script \(given)", in: folder.url,
            environment: [
                "PATH": folder["bin"].path + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
                "SLURM_JOB_ID": "1", "SLURM_NTASKS": "2",
            ].merging(environment) { $1 })
    }

    private var started: String { (try? String(contentsOf: folder["srun.log"], encoding: .utf8)) ?? "" }
    private var requeued: String { (try? String(contentsOf: folder["requeued"], encoding: .utf8)) ?? "" }
    private var own: String { repository.appending(path: "launch/slurm.sbatch").path }

    @Test func readsWhereItWasSubmittedFrom() throws {
        try FileManager.default.createSymbolicLink(at: folder["a b  c"], withDestinationURL: repository)
        let spaced = folder["a b  c/launch/slurm.sbatch"].path
        for show in [
            "JobId=1 JobName=misp\n   Command=\(own)\n   WorkDir=/\n",
            "JobId=1\n   Command=\(own) train --config a b\n",
            "JobId=1\n   Command=\(spaced)\n", "JobId=1\n   Command=\(spaced) train --config /x y/slurm.sbatch\n",
            "JobId=3 ArrayJobId=1 ArrayTaskId=1\n   Command=\(own) t\nJobId=1 ArrayJobId=1\n   Command=\(own) t\n",
        ] {
            let run = try job(show)
            #expect(run.status == 0, "\(show): \(run.errors)")
            #expect(started.contains("/misp-worker><train><--config><x>"), "\(show): \(started)")
        }
        for show in ["", "JobId=1\n   Command=(null)\n", "JobId=1\n   Command=/elsewhere/my job train\n"] {
            let run = try job(show)
            #expect(run.status == 2 && run.errors.contains("Slurm does not say where"), "\(show): \(run.errors)")
        }
    }

    @Test func comesBackOnlyWhereSlurmPutsItBack() throws {
        let show =
            "JobId=1 ArrayJobId=1 JobName=misp\n   Requeue=1 Restarts=0\n   Command=\(own)\nJobId=2\n   Requeue=0\n"
        let back = try job(show, status: 3)
        #expect(back.status == 3 && back.errors.contains("back into the queue; checkpoint taken"), "\(back.errors)")
        #expect(requeued == "1\n")
        let refused = try job(show, status: 3, requeue: "echo disabled for job 1 >&2; exit 1")
        #expect(refused.status == 3 && !refused.errors.contains("back into the queue"), "\(refused.errors)")
        #expect(refused.errors.contains("does not put the job back (disabled for job 1)"), "\(refused.errors)")
        let never = try job(show.replacing("Requeue=1", with: "Requeue=0"), status: 3)
        #expect(never.status == 3 && never.errors.contains("does not put the job back"), "\(never.errors)")
        #expect(requeued == "1\n1\n")
        // The array's number would put back all of its tasks.
        let task = try job(show, status: 3, environment: ["SLURM_ARRAY_JOB_ID": "1", "SLURM_ARRAY_TASK_ID": "7"])
        #expect(task.status == 3)
        #expect(requeued == "1\n1\n1_7\n")
    }

    @Test func givesTheRanksItsEnvironmentAndEndsAsTheyDo() throws {
        let run = try job("JobId=1\n   Command=\(own)\n", status: 2, environment: ["SLURM_EXPORT_ENV": "NONE"])
        #expect(run.status == 2, "\(run.errors)")
        #expect(started.contains("<--export=ALL>"), "\(started)")
        let again = try job(
            "JobId=1\n   Command=\(own)\n", arguments: ["train", "--resume", "--config", "x"],
            environment: ["SLURM_RESTART_COUNT": "2", "SLURM_CPUS_PER_TASK": "4"])
        #expect(again.status == 0, "\(again.errors)")
        #expect(
            started.contains("<train><--resume-if-any><--config><x><--set><compute.threads=4>"), "\(started)")
    }

    @Test(arguments: [["SLURM_HET_SIZE": "2"], ["SLURM_NTASKS": ""], ["TMPDIR": "/nonexistent/scratch"]])
    func refusesJobsThatItIsNotFor(environment: [String: String]) throws {
        let run = try job("JobId=1\n   Command=\(own)\n", environment: environment)
        #expect(run.status == 2 && started.isEmpty, "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        let nothing = try job("JobId=1\n   Command=\(own)\n", arguments: [])
        #expect(nothing.status == 2 && nothing.errors.contains("say what to run"), "\(nothing.errors)")
    }
}
