"""Git alone runs a release: a push deploys, an approval commit resumes, a revert rolls back."""
