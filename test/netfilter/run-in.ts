import { CommandError, type RunCommand } from '../../lib/command.ts'
import type { Host } from '../lab/hosts/host.ts'

/** Runs commands in a host, with the interface of `runCommand`. */
export const runIn =
  (host: () => Host): RunCommand =>
  async (program, args, { input } = {}) => {
    const options = { check: false, ...(input !== undefined && { input }) }
    const { stdout, stderr, exitCode } = await host().exec([program, ...args], options)
    if (exitCode !== 0) throw new CommandError(`${program} failed: ${stderr}`, { exitCode, stderr })
    return stdout
  }
