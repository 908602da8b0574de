import { once } from 'node:events'
import { expect } from 'chai'
import { type Program, runProgram } from '../../support/program.ts'

describe('runProcess', () => {
  let program: Program
  afterEach(() => program.kill('SIGKILL'))

  for (const [what, event] of [
    ['throw', 'uncaughtException'],
    ['reject', 'unhandledRejection'],
  ] as const) {
    // @guards src/process/run-process.ts:end
    it(`AP-10: logs a failure that nobody caught (${event}), and ends in order`, async () => {
      program = runProgram('fail-later')
      expect(await program.readLine()).to.equal('runs')
      const ended = once(program.child, 'exit')
      program.child.stdin.write(`${what}\n`)
      // the log writes by itself, so either may come first
      const lines = [await program.readLine(), await program.readLine()]
      expect(lines).to.include('closed')
      const logged = JSON.parse(lines.find((line) => line !== 'closed') ?? '')
      expect(logged).to.include({ level: 60, msg: event })
      expect(logged.err.message).to.match(/^nobody/)
      expect(await ended).to.deep.equal([1, null])
    })
  }

  it('ends in order when it is told to', async () => {
    program = runProgram('fail-later')
    await program.readLine()
    const ended = once(program.child, 'exit')
    program.child.kill('SIGTERM')
    expect(await program.readLine()).to.equal('closed')
    expect(await ended).to.deep.equal([0, null])
  })
})
