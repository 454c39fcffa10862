DROP TABLE IF EXISTS crm.opportunities, crm.contacts, crm.leads, crm.users, crm.lead_statuses, crm.pipelines,
    crm.opportunity_statuses, crm.custom_fields CASCADE;
DROP SCHEMA IF EXISTS crm;
