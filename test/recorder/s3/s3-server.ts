import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { poll } from '../../lab/poll.ts'
import { builtPrograms } from '../../lab/ready.ts'
import { Gateway } from './gateway.ts'
import { accessKeyId, secretAccessKey } from './keys.ts'

/** A real S3 server, which checks signatures. */
export class S3Server implements AsyncDisposable {
  readonly #root: string
  readonly #child: ChildProcess
  readonly #direct: Gateway
  readonly client: S3Client

  private constructor(root: string, child: ChildProcess, direct: Gateway) {
    this.#root = root
    this.#child = child
    this.#direct = direct
    this.client = new S3Client({
      endpoint: `http://${direct.host}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    })
  }

  static async start(): Promise<S3Server> {
    const root = mkdtempSync(join(tmpdir(), 'culvert-s3-'))
    const inRoot = (name: string): string => join(root, name)
    for (const folder of ['objects', 'sidecar', 'versions']) mkdirSync(inRoot(folder))
    const { versitygw } = await builtPrograms('s3')
    const socket = inRoot('s3.sock')
    const access = ['--access', accessKeyId, '--secret', secretAccessKey]
    const listen = ['--port', socket, '--quiet', '--keep-alive']
    const folders = ['--sidecar', inRoot('sidecar'), '--versioning-dir', inRoot('versions'), inRoot('objects')]
    const command = [join(versitygw, 'versitygw'), ...access, ...listen, 'posix', ...folders]
    const child = spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', '--', ...command], { stdio: 'ignore' })
    await poll('the S3 server listens', () => {
      if (child.exitCode !== null) throw new Error(`the S3 server has ended with code ${child.exitCode}`)
      return existsSync(socket) || undefined
    })
    return new S3Server(root, child, await Gateway.start(socket))
  }

  get socket(): string {
    return join(this.#root, 's3.sock')
  }

  /** Where the objects of a bucket are as files. */
  directoryOf(bucket: string): string {
    return join(this.#root, 'objects', bucket)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy()
    this.#direct.close()
    const exited = once(this.#child, 'exit')
    if (this.#child.exitCode === null && this.#child.kill('SIGKILL')) await exited
    rmSync(this.#root, { recursive: true, force: true })
  }
}
