"""A push deploys, an approval commit resumes, a revert rolls back: Git alone."""
