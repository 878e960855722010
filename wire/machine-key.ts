import { createPrivateKey, createPublicKey } from 'node:crypto'

/** The head of an X25519 key in PKCS #8 (RFC 8410), which its 32 bytes follow. */
const head = Buffer.from('302e020100300506032b656e04220420', 'hex')

/**
 * The public machine key of a node, `mkey:` and 64 hexadecimal digits, as control servers have it, from the private one
 * that tailscaled keeps in its state, `privkey:…`; undefined if the text is none.
 */
export function publicMachineKey(text: string): string | undefined {
  const [, digits] = /^privkey:([0-9a-f]{64})$/.exec(text.trim()) ?? []
  if (digits === undefined) return undefined
  const der = Buffer.concat([head, Buffer.from(digits, 'hex')])
  const { x = '' } = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  })
  return `mkey:${Buffer.from(x, 'base64url').toString('hex')}`
}
