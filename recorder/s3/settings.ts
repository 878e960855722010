import { parseAddressPort } from '../../lib/address.ts'
import { parseBool } from '../../lib/go-values.ts'
import { parseKeep, parseSize } from '../amounts.ts'
import type { Reading, Variable } from '../variable.ts'

/** The variables that matter when recordings are kept in S3. */
export const s3Variables = [
  {
    name: 'TSRECORDER_BUCKET',
    flags: ['bucket'],
    effect: 'The bucket, which must be there. It is for recordings only: they have no common prefix',
  },
  {
    name: 'AWS_ACCESS_KEY_ID',
    flags: ['access-key'],
    effect:
      'Credentials that stay. Without them, they are looked for where AWS’s tools do: a web identity (`AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`), a file (`AWS_SHARED_CREDENTIALS_FILE`, `AWS_PROFILE`), the container’s or the instance’s role',
  },
  {
    name: 'AWS_SECRET_ACCESS_KEY',
    flags: ['secret-key'],
    effect: 'The secret of that key. As a flag, every user of the machine can read it',
  },
  {
    name: 'AWS_REGION',
    flags: ['region'],
    effect: 'The region. Without it, the one in the name of AWS’s endpoint, or else `us-east-1`',
  },
  {
    name: 'CULVERT_RECORDER_SPOOL',
    flags: ['spool'],
    default: '/data/spool',
    effect: 'The directory for recordings that are being written, and for what is not in S3 yet',
  },
  {
    name: 'CULVERT_RECORDER_SPOOL_SIZE',
    flags: ['spool-size'],
    effect:
      'How much the spool may have, such as `10Gi`, which should be less than its volume has. Then recordings end with an error, as on a full disk. Without it, as much as there is room for',
  },
  {
    name: 'CULVERT_RECORDER_S3_TLS',
    flags: ['s3-tls'],
    type: 'boolean',
    default: 'true',
    effect: 'Whether S3 is asked by HTTPS; `false` is for HTTP',
  },
  {
    name: 'CULVERT_RECORDER_S3_CA',
    flags: ['s3-ca'],
    effect: 'Certificates that are trusted beside the usual ones: a file of them, or they themselves, PEM',
  },
  {
    name: 'CULVERT_RECORDER_S3_PATH_STYLE',
    flags: ['s3-path-style'],
    type: 'boolean',
    effect:
      'Whether the bucket is in the path of a URL, and not in the name of its host. Without it, only AWS has it in the name',
  },
  {
    name: 'CULVERT_RECORDER_S3_ENCRYPTION',
    flags: ['s3-encryption'],
    effect:
      'How S3 is to encrypt: `AES256`, `aws:kms`, or `aws:kms=KEY` with the ID or ARN of a key. Without it, as the bucket says',
  },
  {
    name: 'CULVERT_RECORDER_S3_LOCK',
    flags: ['s3-lock'],
    effect:
      'How long nobody may remove or change a recording or event, such as `governance=90d` or `compliance=365d`. The bucket must have object lock. Without it, as the bucket says',
  },
  {
    name: 'S3_SEND_CONTENT_MD5',
    flags: ['send-content-md5'],
    type: 'boolean',
    default: 'false',
    effect: 'Whether a `Content-MD5` is sent instead of newer checksums, for S3 servers that do not know those',
  },
] as const satisfies readonly Variable[]

export type S3Name = (typeof s3Variables)[number]['name']

/** Where and how recordings are kept in S3. */
export type S3Settings = {
  /** A URL without a path. */
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly isPathStyle: boolean
  /** Undefined: as AWS's tools find them. */
  readonly credentials: Credentials | undefined
  /** A file, or certificates, PEM. */
  readonly ca: string | undefined
  readonly encryption: { readonly kind: 'AES256' | 'aws:kms'; readonly key: string | undefined } | undefined
  readonly lock: { readonly mode: 'GOVERNANCE' | 'COMPLIANCE'; readonly ms: number } | undefined
  readonly isMd5: boolean
  /** Of the spool, in bytes. */
  readonly mostBytes: number
}

export type Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Reads them for an endpoint such as `s3.eu-west-1.amazonaws.com` or `minio:9000`. `token`: that of the credentials. */
export function readS3(
  endpoint: string,
  token: string | undefined,
  { text, value, wrong }: Reading<S3Name>,
): S3Settings {
  const url = URL.parse(`https://${endpoint}`)
  if (url === null || url.host === '' || !isHost(endpoint))
    wrong('TSRECORDER_DST must be a directory, or s3://HOST or s3://HOST:PORT with the name of an S3 server')
  const host = url?.hostname ?? ''
  const bucket = text('TSRECORDER_BUCKET')
  if (!/^[A-Za-z0-9][\w.-]{1,254}$/.test(bucket)) wrong('TSRECORDER_BUCKET, or --bucket, must be the name of a bucket')
  const isTls = value('CULVERT_RECORDER_S3_TLS', parseBool, 'true or false', true)
  const isAws = ofAws.test(host)
  const given = <T>(name: S3Name, read: (text: string) => T | undefined, accepted: string): T | undefined =>
    text(name) === '' ? undefined : value(name, read, accepted, undefined)
  return {
    endpoint: `${isTls ? 'https' : 'http'}://${endpoint}`,
    bucket,
    region: text('AWS_REGION') || (regionIn.exec(host)?.[1] ?? 'us-east-1'),
    // A certificate for `*.s3…` does not have names of buckets with a point.
    isPathStyle:
      given('CULVERT_RECORDER_S3_PATH_STYLE', parseBool, 'true or false') ?? (!isAws || bucket.includes('.')),
    credentials: readCredentials(text, token, wrong),
    ca: text('CULVERT_RECORDER_S3_CA') || undefined,
    encryption: given('CULVERT_RECORDER_S3_ENCRYPTION', parseEncryption, 'AES256, aws:kms or aws:kms=KEY'),
    lock: given('CULVERT_RECORDER_S3_LOCK', parseLock, 'governance=90d or compliance=90d'),
    isMd5: value('S3_SEND_CONTENT_MD5', parseBool, 'true or false', false),
    mostBytes: value('CULVERT_RECORDER_SPOOL_SIZE', parseSpoolSize, 'a size such as 10Gi, 32Mi or more,', Infinity),
  }
}

/** Endpoints of AWS, such as `s3.eu-west-1.amazonaws.com` or `s3-fips.dualstack.us-gov-west-1.amazonaws.com`. */
const ofAws = /(?:^|\.)amazonaws\.com(?:\.cn)?$/
const regionIn = /^s3(?:-fips)?(?:\.dualstack)?[.-]((?!fips\b|dualstack\b)[a-z0-9-]+-\d)\.amazonaws\.com(?:\.cn)?$/

const isHost = (endpoint: string): boolean =>
  parseAddressPort(endpoint) !== undefined || /^(?!-)[A-Za-z0-9.-]+(?::\d{1,5})?$/.test(endpoint)

function readCredentials(
  text: (name: S3Name) => string,
  token: string | undefined,
  wrong: (problem: string) => void,
): Credentials | undefined {
  const [accessKeyId, secretAccessKey] = [text('AWS_ACCESS_KEY_ID'), text('AWS_SECRET_ACCESS_KEY')]
  if ((accessKeyId === '') !== (secretAccessKey === ''))
    wrong('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, or neither')
  if (accessKeyId === '') return undefined
  return { accessKeyId, secretAccessKey, ...(token && { sessionToken: token }) }
}

/** New recordings are taken only while there is room for more than a few bytes. */
function parseSpoolSize(text: string): number | undefined {
  const bytes = parseSize(text)
  return bytes !== undefined && bytes >= 32 * 1024 * 1024 ? bytes : undefined
}

function parseEncryption(text: string): S3Settings['encryption'] {
  const [, kind, key] = /^(AES256|aws:kms)?(?:=(.+))?$/.exec(text) ?? []
  if (kind === 'AES256' && key === undefined) return { kind, key }
  return kind === 'aws:kms' ? { kind, key } : undefined
}

function parseLock(text: string): S3Settings['lock'] {
  const [, mode, time = ''] = /^(governance|compliance)=(.+)$/i.exec(text) ?? []
  const ms = parseKeep(time)
  if (mode === undefined || ms === undefined) return undefined
  return { mode: mode.toLowerCase() === 'governance' ? 'GOVERNANCE' : 'COMPLIANCE', ms }
}
