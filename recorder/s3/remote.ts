import { Readable as Stream } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import { type Remote, RemoteError } from '../store/remote.ts'
import type { Readable, Stored } from '../store/store.ts'
import { s3Clients } from './client.ts'
import { failureOf } from './failure.ts'
import type * as Sdk from './sdk.ts'
import type { S3Settings } from './settings.ts'

/** The least size of a part of an upload and how much is read at once, in bytes; S3 takes up to 10,000 parts. */
const [partBytes, chunkBytes, mostParts] = [8 * 1024 * 1024, 256 * 1024, 9000]
/** How many bytes of a recording come with the answer that says how long it is. */
const headBytes = 4096

/**
 * A bucket of an S3 server.
 * @throws CulvertError `settings` if the file with certificates cannot be read
 */
export function s3Remote(settings: S3Settings, sdk: typeof Sdk, clock: Pick<Clock, 'date'>): Remote {
  const { bucket: Bucket, encryption, lock } = settings
  const newClient = s3Clients(settings, sdk)
  let client = newClient()

  /** Has failures say what was done. Lost credentials are looked for anew. */
  const asking = async <T>(doing: string, work: (client: Sdk.S3Client) => Promise<T>): Promise<T> => {
    const present = client
    try {
      return await work(present)
    } catch (error) {
      const failure = failureOf(doing, error)
      if (failure.reason === 'credentials' && client === present) client = newClient()
      throw failure
    }
  }
  const ifAllowed = async (doing: string, work: (client: Sdk.S3Client) => Promise<void>): Promise<void> => {
    try {
      await asking(doing, work)
    } catch (error) {
      if (!(error instanceof RemoteError) || error.reason !== 'denied') throw error
    }
  }

  /** Of uploads that did not come to their end, S3 would keep the parts for ever. */
  const removeParts = (Key: string): Promise<void> =>
    ifAllowed(`looking for earlier uploads of ${Key}`, async (s3) => {
      const { Uploads = [] } = await s3.send(new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key }))
      for (const { UploadId, Key: found } of Uploads)
        if (found === Key) await s3.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
    })

  const isThere = ({ key: Key, bytes }: Readable, tag: string | undefined): Promise<void> =>
    ifAllowed(`looking at ${Key} in S3`, async (s3) => {
      const { ContentLength, ETag } = await s3.send(new sdk.HeadObjectCommand({ Bucket, Key })).catch(ifMissing)
      if (ContentLength !== bytes || ETag !== tag)
        throw new RemoteError(
          'mismatch',
          `S3 has not kept ${Key} as it was sent: ${ContentLength ?? 0} of ${bytes} bytes`,
        )
    })

  const upload = async (from: Readable): Promise<void> => {
    const partSize = Math.max(partBytes, Math.ceil(from.bytes / mostParts))
    const { ETag } = await asking(`storing ${from.key} in S3`, (s3) =>
      new sdk.Upload({
        client: s3,
        partSize,
        queueSize: 1,
        params: {
          Bucket,
          Key: from.key,
          Body: Stream.from(chunksOf(from), { objectMode: false }),
          ContentType: from.key.endsWith('.cast') ? 'application/x-asciicast' : 'application/json',
          ...(encryption && { ServerSideEncryption: encryption.kind, SSEKMSKeyId: encryption.key }),
          ...(lock && { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: new Date(+clock.date() + lock.ms) }),
        },
      }).done(),
    )
    await isThere(from, ETag)
    if (from.bytes > partSize) await removeParts(from.key)
  }

  const list = async function* (): AsyncGenerator<Stored> {
    const pages = sdk.paginateListObjectsV2({ client }, { Bucket })[Symbol.asyncIterator]()
    for (;;) {
      const { value, done } = await asking('listing the bucket', () => pages.next())
      if (done === true) return
      for (const { Key: key, Size: bytes, LastModified: modified } of value.Contents ?? [])
        if (key !== undefined && bytes !== undefined && modified) yield { key, bytes, modified }
    }
  }

  /** A part of an object, if it is still the one with this tag, and the size of the whole. */
  const read = (Key: string, from: number, to: number, tag?: string) =>
    asking(`reading ${Key} from S3`, async (s3) => {
      const asked = { Bucket, Key, Range: `bytes=${from}-${to - 1}`, ...(tag !== undefined && { IfMatch: tag }) }
      const { Body, ContentRange, ContentLength = 0, ETag } = await s3.send(new sdk.GetObjectCommand(asked))
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
      const size = Number(/\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? ContentLength)
      return { bytes, size, tag: ETag }
    })

  const open = async (key: string): Promise<Readable> => {
    const head = await read(key, 0, headBytes)
    return {
      key,
      bytes: head.size,
      read: async (from, to) => {
        const end = Math.min(to, head.size)
        if (end <= from) return Buffer.alloc(0)
        if (end <= head.bytes.length) return head.bytes.subarray(from, end)
        return (await read(key, from, end, head.tag)).bytes
      },
    }
  }

  return {
    upload,
    list,
    open,
    remove: (Key) =>
      asking(
        `removing ${Key} from S3`,
        async (s3) => void (await s3.send(new sdk.DeleteObjectCommand({ Bucket, Key }))),
      ),
    look: () =>
      ifAllowed(`asking for the bucket ${Bucket}`, async (s3) => {
        await s3.send(new sdk.GetBucketLocationCommand({ Bucket }))
      }),
  }
}

/** Takes what is not there for an answer without anything. */
const ifMissing = (error: unknown): { readonly ContentLength?: undefined; readonly ETag?: undefined } => {
  if (failureOf('', error).code === 'ENOENT') return {}
  throw error
}

async function* chunksOf(from: Readable): AsyncGenerator<Buffer> {
  for (let at = 0; at < from.bytes; at += chunkBytes) {
    try {
      yield await from.read(at, Math.min(at + chunkBytes, from.bytes))
    } catch (cause) {
      throw new RemoteError('spool', `${from.key} cannot be read from the spool`, { cause })
    }
  }
}
