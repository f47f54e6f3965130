-- Markers, findings, incidents and changes wait here, too, now. A backup takes tables by their names: this one has to come before all that its rows
-- go to, so that each row is found here or there.
RENAME TABLE IF EXISTS {database}.delta TO {database}.accrued {cluster};
