/** The credentials of the S3 server of the lab. */
export const [accessKeyId, secretAccessKey] = ['AKIAOFTHELAB', 'a-secret-of-the-lab']
