/** A text in which `…` is in place of each secret. */
export const conceal = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((left, secret) => (secret === '' ? left : left.replaceAll(secret, '…')), text)
