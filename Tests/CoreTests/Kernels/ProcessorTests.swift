import Core
import Testing

@Test func processorThatRunsTheTestsPasses() throws { try Processor.check() }
