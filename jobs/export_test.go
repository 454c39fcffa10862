package jobs

// Soon is the retry policy of all jobs.
var Soon = soon{}
