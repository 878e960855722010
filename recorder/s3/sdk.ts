/** What is used of AWS's SDK: a bundle of its own, which is loaded only when recordings are kept in S3. */
export {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
export { defaultProvider } from '@aws-sdk/credential-provider-node'
export { Upload } from '@aws-sdk/lib-storage'
